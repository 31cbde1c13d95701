#!/usr/bin/env python3
"""What the program writes and where: places are checked before the run, and what is said to be written is there.

  SLUICE_PROGRAM=build/release/bin/sluice run_outputs.py [Places.test_each_is_checked_before_the_run ...]
"""
import json
import os
import resource
import subprocess

from faults import BARS, FACES, FRONT, Faults, main
from run_pipelines import TIMEOUT_S

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

    def test_a_recording_replaces_nothing_unasked(self):
        for name in ('readings.jsonl', 'report.json'):
            with self.subTest(name=name):
                folder = self.at(name + '.d')
                os.mkdir(folder)
                self.write(os.path.join(folder, name), 'precious')
                self.refused('--record', folder, says=f"--record: '{folder}/{name}' exists; --force replaces it")
                self.assertEqual(self.read(os.path.join(folder, name)), 'precious')
                self.assertEqual(os.listdir(folder), [name])

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


class FullDisks(Faults):
    """A limit on the size of files stands for the disk: what the report calls delivered is in the file."""

    def run_limited(self, limit, sink, *words, source=BARS):
        return self.run_it(self.source_to(source, sink), *words, code=1,
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))

    def sink(self):
        report = self.report()
        self.assertEqual(report['status'], 'failed')
        return report['sinks'][0]

    def test_lines(self):
        """The report itself must fit into the limit, too: so the lines are many."""
        for limit in (20000, 20001, 20047):
            with self.subTest(limit=limit):
                done = self.run_limited(limit, LINES, '--frames', '2000')
                self.assertIn("cannot write '" + self.at('out.jsonl') + "': File too large", done.stderr)
                text = self.read('out.jsonl')
                self.assertTrue(text.endswith('}\n'), 'a part of a line is left')
                frames = [json.loads(line)['frame'] for line in text.splitlines()]
                sink = self.sink()
                self.assertEqual(frames, list(range(sink['delivered'])))
                self.assertGreater(sink['delivered'], 100)
                self.assertGreater(sink['dropped']['failed'], 0)

    def test_pictures(self):
        os.mkdir(self.at('pictures'))
        self.run_limited(20000, 'type: image_sink, options: {path: pictures}', '--frames', '5',
                         source='{uri: "test:noise", width: 640, height: 640}')
        self.assertEqual(len(os.listdir(self.at('pictures'))), self.sink()['delivered'])

    def test_videos(self):
        """Encoders hold pictures back: what was taken and is not there has a figure of its own."""
        noise = '{uri: "test:noise", width: 128, height: 128, fps: 30}'
        for name in ('out.mp4', 'out.mkv', 'out.avi'):
            with self.subTest(name=name):
                done = self.run_limited(200000, 'type: video_sink, options: {path: %s}' % name, '--frames', '400', source=noise)
                sink = self.sink()
                kept = sink['delivered'] - sink['unwritten']
                self.assertIn(f"{sink['unwritten']} frames that it had taken are not in it", done.stderr)
                counted = subprocess.run(['ffprobe', '-v', 'error', '-count_packets', '-show_entries', 'stream=nb_read_packets',
                                          '-of', 'csv=p=0', self.at(name)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                         text=True, timeout=TIMEOUT_S, check=False).stdout
                # The last packet may be there in part, of an .mkv a part of its last cluster: they are not counted as kept.
                more = int(counted.strip(',\n') or 0) - kept
                self.assertGreaterEqual(more, 0, (counted, sink))
                self.assertTrue(more <= 1 or name == 'out.mkv', (counted, sink))

    def limited(self, limit, *words):
        return self.sluice(*words, env={**os.environ, 'SLUICE_ARTIFACTS': 'off'},
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))

    def test_packages(self):
        """Wherever the disk is full, the file is named, and neither the package nor a part of it is there."""
        model, video = os.path.getsize(FRONT), os.path.getsize(FACES)
        for limit, name in ((model - 1, FRONT), (video - 1, FACES), (100, 'pipeline.yaml')):
            with self.subTest(limit=limit):
                pipeline = self.shipped('face_fast') if limit > 100 else self.source_to(BARS, more='# ' + 100 * 'x' + '\n')
                done = self.limited(limit, 'package', pipeline, '-o', self.at('made'))
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(os.path.basename(name), done.stderr)
                self.assertIn('File too large', done.stderr)
                self.assertEqual((done.stdout, done.stderr.count('\n')), ('', 1))
                self.assertEqual([each for each in os.listdir(self.folder) if each != 'pipeline.yaml'], [])

    def test_packages_hold_what_was_compiled_for_them(self):
        """The model has room and its context has not: no package that the device would have to complete."""
        model = FRONT.replace('.onnx', '.w8a16.onnx')
        pipeline = self.source_to(BARS, 'type: null_sink}\n  - {id: pre, type: preprocess, inputs: cam, options: {model: face}}\n'
                                  '  - {id: face, type: infer, inputs: pre, options: {model: face, backends: [htp, cpu]}}\n'
                                  '  - {id: end, type: null_sink, inputs: face',
                                  more='models: {face: {path: %s}}\nbackends: {htp: {soc: sm8550}}\n' % model)
        words = ('package', pipeline, '-o', self.at('made'))
        done = self.limited(os.path.getsize(model) + 1000, *words)
        self.assertEqual((done.returncode, done.stdout), (1, ''), done.stderr)
        self.assertRegex(done.stderr, "^sluice: error: compiling: .*not kept.*\n$")
        self.assertEqual(os.listdir(self.folder), ['pipeline.yaml'])
        done = self.limited(resource.RLIM_INFINITY, *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('compiled for htp on sm8550: 1 contexts', done.stdout)

    def test_compiled_models(self):
        """Neither where the result goes nor where the compiler writes: nothing is left, and the reason is said."""
        words = ('compile', FRONT, '--backend', 'htp', '--soc', 'sm8550', '--force', '-o')
        done = self.limited(resource.RLIM_INFINITY, *words, '/dev/full')
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertIn("'/dev/full' cannot be written: No space left on device", done.stderr)
        done = self.limited(10000, *words, self.at('out.onnx'))
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertIn('no room for the compiled model in the folder for temporary files (TMPDIR)', done.stderr)
        self.assertEqual(done.stderr.count('\n'), 1)
        self.assertEqual(os.listdir(self.folder), [])


if __name__ == '__main__':
    main()
