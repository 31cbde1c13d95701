#!/usr/bin/env python3
"""What the program writes and where: places are checked before the run, and what is said to be written is there.

  SLUICE_PROGRAM=build/release/bin/sluice run_outputs.py [Places.test_each_is_checked_before_the_run ...]
"""
import json
import os

from faults import BARS, Faults, main

LINES = 'type: json_sink, options: {path: out.jsonl, overwrite: true}'


class Places(Faults):
    """Options that name a file."""

    def refused(self, *words, code=1, says=''):
        done = self.sluice('run', self.source_to(BARS, LINES), '--frames', '3', *words)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(says, done.stderr)
        self.assertEqual(done.stdout, '')
        self.assertFalse(os.path.exists(self.at('out.jsonl')), 'it ran')
        self.nothing_is_left_over()

    def test_each_is_checked_before_the_run(self):
        none = self.at('none/file')
        for option in ('--report', '--collect-ranges', '--trace'):
            with self.subTest(option=option):
                self.refused(option, none, says=f"{option}: '{none}' cannot be written: No such file or directory")
                self.refused(option, self.folder, says=f"{option}: '{self.folder}' cannot be written: Is a directory")
        self.write('plain', 'precious')
        self.refused('--record', self.at('plain'), says='--record: ')
        os.mkdir(self.at('rec'))
        os.mkdir(self.at('rec/readings.jsonl'))
        self.refused('--record', self.at('rec'), '--force', says="readings.jsonl' cannot be written: Is a directory")
        self.assertEqual(self.read('plain'), 'precious')

    def test_two_options_do_not_share_a_file(self):
        self.refused('--report', self.at('x'), '--trace', self.at('./x'), code=2, says='--report and --trace name the same file')
        self.refused('--report', self.at('x'), '--log-file', self.at('x'), code=2, says='--report and --log-file name the same file')

    def test_what_was_there_stays_until_the_run_has_begun(self):
        os.mkdir(self.at('rec'))
        for name in ('rec/readings.jsonl', 'rec/report.json', 'trace.json', 'ranges.json'):
            self.write(name, 'precious')
        done = self.sluice('run', self.source_to('{uri: none.mp4}', LINES), '--record', self.at('rec'), '--force',
                           '--trace', self.at('trace.json'), '--collect-ranges', self.at('ranges.json'))
        self.assertEqual(done.returncode, 1, done.stderr)
        for name in ('rec/readings.jsonl', 'rec/report.json', 'trace.json', 'ranges.json'):
            self.assertEqual(self.read(name), 'precious')

    def test_a_report_on_standard_output(self):
        done = self.sluice('run', self.source_to(BARS), '--frames', '3', '--report', '-')
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.check_equations(report)
        self.assertEqual(report['frames'], {'produced': 3, 'delivered': 3, 'dropped': {}})
        self.assertFalse(os.path.exists(self.at('-')))
        with open('/dev/full', 'w', encoding='utf-8') as full:
            done = self.sluice('run', self.source_to(BARS), '--frames', '3', '--report', '-', stdout=full)
        self.assertEqual(done.returncode, 1)
        self.assertIn('--report: stdout cannot be written: No space left on device', done.stderr)

    def test_standard_output_is_one_thing_only(self):
        path = self.source_to(BARS, 'type: json_sink, options: {path: "-"}')
        done = self.sluice('run', path, '--frames', '3', '--report', '-')
        self.assertEqual(done.returncode, 2)
        self.assertIn("--report is '-', but node 'out' writes to standard output too", done.stderr)
        self.assertEqual(done.stdout, '')
        for option in ('--trace', '--record', '--collect-ranges', '--log-file'):
            self.refused(option, '-', code=2, says=f"{option} is '-', but what it writes is nothing for standard output")


if __name__ == '__main__':
    main()
