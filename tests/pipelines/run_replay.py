#!/usr/bin/env python3
"""Recordings of runs, made again: the same decisions to the byte, and what is said of recordings that are none.

  SLUICE_PROGRAM=build/release/bin/sluice run_replay.py [Replay ...]
"""
import json
import os
import signal
import subprocess
import unittest

from run_pipelines import PROGRAM, ROOT, TIMEOUT_S, Program

FAILS = '{latency_ms: 1, fail_at: [20, 100]}'
WORKS = '{latency_ms: 1}'


def words(fake, *more):
    return ('--set', 'camera.loop=true', '--set', 'face.backends=[fake, cpu]', '--set', 'face.dwell_s=0', '--set',
            f'face.fake={fake}', '--pace', '30', '--quiet', *more)


def decisions(report):
    return json.dumps(report['inference'][0]['decisions'])


class Replay(Program):
    def replayed(self, device, fake, duration, *more):
        _, report = self.run_pipeline('face_fast', *words(fake, '--device', device, '--duration', duration, *more))
        return report

    def test_a_real_run(self):
        """Two failures are two changes and two ways back; the replay, in which nothing fails, does the same."""
        recorded = self.replayed('real', FAILS, '15s', '--record', self.at('kept'))
        self.assertGreaterEqual(len(recorded['inference'][0]['decisions']), 5, decisions(recorded))
        again = self.replayed('trace:' + self.at('kept'), WORKS, '15s')
        self.assertEqual(decisions(again), decisions(recorded))
        self.assertEqual(again['frames']['dropped'].get('failed', 0), 0)

    def test_a_simulated_run(self):
        recorded = self.replayed('sim:qcs6490', FAILS, '60s', '--record', self.at('kept'))
        self.assertGreaterEqual(len(recorded['inference'][0]['decisions']), 5, decisions(recorded))
        again = self.replayed('trace:' + self.at('kept'), WORKS, '60s')
        self.assertTrue(again['simulated'])
        self.assertEqual(decisions(again), decisions(recorded))
        explained = self.sluice('explain', self.at('kept/report.json'))
        self.assertIn('fake failed; failures of late: 1', explained.stdout)

    def test_a_run_that_was_killed(self):
        """It leaves whole lines, without the one that ends a recording, and is replayed as far as it goes."""
        # pylint: disable-next=consider-using-with  # waited for below
        process = subprocess.Popen(
            [PROGRAM, 'run', self.shipped('face_fast'), *words(FAILS, '--record', self.at('kept'))],
            stdout=subprocess.PIPE, cwd=ROOT)
        for _ in zip(range(60), process.stdout):
            pass
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=TIMEOUT_S)
        lines = self.read('kept/readings.jsonl').splitlines()
        self.assertNotIn('"end"', lines[-1])
        done, report = self.run_pipeline('face_fast', *words(WORKS)[:-1], '--duration', '4s', '--device',
                                         'trace:' + self.at('kept'))
        self.assertGreaterEqual(len(report['inference'][0]['decisions']), 2)
        self.assertEqual(done.stderr.count('the recording was cut after'), 1, done.stderr)

    def test_a_run_in_which_nothing_was_to_choose(self):
        """It has readings, which serve as such."""
        self.run_pipeline('face_fast', '--device', 'sim:qcs6490', '--duration', '5s', '--record', self.at('kept'))
        self.assertNotIn('selection', self.read('kept/readings.jsonl'))
        with open(self.shipped('face_fast'), encoding='utf-8') as source:
            text = source.read().replace('../data', os.path.join(ROOT, 'data'))
        path = self.write('traced.yaml', text + f'device: {{telemetry: trace, trace: {self.at("kept")}}}\n')
        done = self.sluice('run', path, '--duration', '3s', '--report', self.at('report.json'))
        self.assertEqual(done.returncode, 0, done.stderr)
        device = json.loads(self.read('report.json'))['device']
        self.assertEqual(device['telemetry'], 'trace')
        self.assertIsNotNone(device['temperature_c']['npu'])
        refused = self.sluice('run', path, '--device', 'trace:' + self.at('kept'))
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn('has readings and no decisions', refused.stderr)

    def test_what_is_no_recording(self):
        self.replayed('sim:qcs6490', WORKS, '5s', '--record', self.at('kept'))
        good = self.read('kept/readings.jsonl')
        lines = good.splitlines(keepends=True)
        for name, text, says in (
                ('cut', good[:-30], 'the last line was cut; remove it'),
                ('binary', '\0\1\2\n', 'no JSON object'),
                ('units', good.replace('"npu":', '"npu":42000,"was":', 1), '42000'),
                ('order', lines[0] + lines[5] + lines[3], 'before the line before'),
                ('readings', '{"t_s": 1}\n', 'has readings and no decisions'),
                ('other', good.replace('"id":"face"', '"id":"other"', 1), "node 'other' is 'face' here")):
            with self.subTest(name=name):
                path = self.write(name + '.jsonl', text)
                done = self.sluice('run', self.shipped('face_fast'), *words(WORKS, '--device', 'trace:' + path))
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(says, done.stderr)
                self.assertEqual(done.stdout, '')
        done = self.sluice('run', self.shipped('face_fast'), '--device', 'trace:' + self.at('none'))
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn('none: cannot be read', done.stderr)


class Notices(Program):
    def test_what_happens_to_sensors_is_said_once(self):
        """The report and the selector each look at them."""
        trace = self.write('short.jsonl', '{"t_s": 1, "temperature_c": {"npu": 41}}\n{"t_s": 2, "temperature_c": {"npu": 42}}\n')
        with open(self.shipped('adaptive'), encoding='utf-8') as source:
            text = source.read().replace('../data', os.path.join(ROOT, 'data'))
        path = self.write('traced.yaml', text + f'device: {{telemetry: trace, trace: {trace}}}\n')
        done = self.sluice('run', path, '--set', 'camera.loop=true', '--pace', '10', '--duration', '6s', '--report',
                           self.at('report.json'))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count('has ended after 1 s'), 1, done.stderr)
        self.assertEqual(len(json.loads(self.read('report.json'))['device']['notices']), 1)


class Places(Program):
    def test_a_folder_that_cannot_be_written(self):
        self.write('file', '')
        done = self.sluice('run', self.shipped('face_fast'), '--frames', '1', '--record', self.at('file/kept'))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn('--record: ', done.stderr)
        self.assertEqual(done.stdout, '')

    def test_a_full_disk(self):
        """What could not be kept is counted, and the run itself goes to its end."""
        if not os.path.exists('/dev/full'):
            self.skipTest('no /dev/full')
        os.mkdir(self.at('kept'))
        os.symlink('/dev/full', self.at('kept/readings.jsonl'))
        done = self.sluice('run', self.shipped('face_fast'),
                           *words(FAILS, '--force', '--device', 'sim:qcs6490', '--duration', '10s', '--record',
                                  self.at('kept'), '--report', self.at('report.json')))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r'could not take \d+ lines; the disk is full or gone')
        self.assertEqual(json.loads(self.read('report.json'))['status'], 'completed')


if __name__ == '__main__':
    unittest.main()
