#!/usr/bin/env python3
"""What comes from outside while a command works: Ctrl-C, and a system time that is set.

  SLUICE_PROGRAM=build/release/bin/sluice SLUICE_STEPPING_CLOCK=.../libstepping_clock.so run_interrupts.py [WarmUp ...]
"""
import json
import os
import platform
import signal
import subprocess
import unittest

from faults import Faults, blocks_interrupts
from run_pipelines import PROGRAM, ROOT, TIMEOUT_S


class Chosen(Faults):
    """A pipeline whose selector measures a slow and a fast backend."""

    def chosen(self, out, pace, slow_ms):
        """A pipeline file whose lines go to `out`."""
        return self.pipeline(
            f"id: camera, type: video_source, options: {{uri: 'test:bars', width: 64, height: 64, pace: {pace}}}",
            'id: pre, type: preprocess, inputs: camera, options: {model: face, mean: 127.5, std: 127.5}',
            'id: face, type: infer, inputs: pre, options: {model: face, backends: [fake, cpu], policy: latency, '
            f'fake: {{latency_ms: {slow_ms}}}}}',
            'id: boxes, type: detect, inputs: face, options: {decoder: blazeface, labels: [face]}',
            f'id: out, type: json_sink, inputs: boxes, options: {{path: {out}, overwrite: true}}',
            more=f'models: {{face: {{path: {ROOT}/data/models/face_detection_front_128x128.onnx}}}}\n'
                 'flow: {mode: lossless}\n')

    def environment(self, **more):
        return {**os.environ, 'SLUICE_ARTIFACTS': self.at('artifacts'), **more}


class Loading(Faults):
    """The first signal before anything runs: while the file is read, models are loaded or nodes opened."""

    def test_an_interrupt_leaves_a_report(self):
        path = self.write('endless.yaml', 'version: 1\nnodes:\n  - {id: a, type: video_source, options: {uri: "test:bars", pace: 30}}\n'
                                          '  - {id: s, type: null_sink, inputs: a}\n')
        for _ in range(10):
            self.write('r.json', 'of an older run')
            with subprocess.Popen([PROGRAM, 'run', path, '--report', self.at('r.json')], stderr=subprocess.PIPE, text=True) as process:
                while process.poll() is None and not blocks_interrupts(process.pid):
                    os.sched_yield()
                process.send_signal(signal.SIGINT)
                _, errors = process.communicate(timeout=TIMEOUT_S)
            self.assertEqual(process.returncode, 0, errors)
            self.assertIn('stopped', errors)
            report = json.loads(self.read('r.json'))
            self.assertEqual(report['status'], 'stopped')
            self.assertEqual(report['frames']['produced'], report['frames']['delivered'])


class WarmUp(Chosen):
    """The first signal while candidates are measured."""

    def test_an_interrupt_ends_the_warm_up(self):
        os.mkfifo(self.at('lines'))
        path = self.chosen(self.at('lines'), 30, 1500)
        process = self.start(path, env=self.environment())
        # The probe opens the sinks, and the warm-up comes between that and the first frame: runs of 1.5 s each.
        with open(self.at('lines'), encoding='utf-8') as lines:
            process.send_signal(signal.SIGINT)
            left = lines.readlines()
        _, errors = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, 0, errors)
        report = self.report()
        self.assertEqual(report['status'], 'stopped')
        self.assertEqual(report['frames']['delivered'], len(left), 'a frame that was begun is drained')


@unittest.skipUnless(platform.machine() in ('x86_64', 'AMD64'), 'the NPU is simulated on x86-64 only')
class Unfinished(Faults):
    """Ctrl-C while a command makes something: exit 0 at once, and nothing of it is there."""

    def interrupt(self, words, begun):
        """Sends SIGTERM as soon as a name in the folder `tmp` or beside the result begins with `begun`."""
        os.mkdir(self.at('tmp'))
        os.mkdir(self.at('out'))
        environment = {**os.environ, 'TMPDIR': self.at('tmp'), 'SLUICE_ARTIFACTS': 'off'}
        with subprocess.Popen([PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
                              env=environment) as process:
            def entries():
                return os.listdir(self.at('tmp')) + os.listdir(self.at('out'))
            while process.poll() is None and not any(name.startswith(begun) for name in entries()):
                os.sched_yield()
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual((process.returncode, errors), (0, ''))
        if os.listdir(self.at('out')) == ['face']:
            self.skipTest('it was done before the signal came')
        self.assertEqual(entries(), [])

    def test_package(self):
        self.interrupt(('package', self.shipped('face_fast_htp'), '-o', self.at('out/face')), '.face.sluice-')

    def test_compile(self):
        model = os.path.join(ROOT, 'data/models/face_detection_front_128x128.onnx')
        self.interrupt(('compile', model, '--backend', 'htp', '-o', self.at('out/face')), 'sluice-context-')


class SystemTime(Chosen):
    """The time of day jumps by hours: rates, ages, latencies and what is chosen go by clocks that only count on."""

    def test_its_steps_do_no_harm(self):
        path = self.chosen(self.at('lines'), 100, 30)
        self.run_it(path, '--frames', '60', '--log-file', self.at('log'),
                    env=self.environment(LD_PRELOAD=os.environ['SLUICE_STEPPING_CLOCK'],
                                         STEPPING_CLOCK_COUNT=self.at('looks')))
        self.assertGreater(int(self.read('looks')), 0, 'the time was looked at, and jumped')
        report = self.report()
        self.assertEqual(report['frames'], {'produced': 60, 'delivered': 60, 'dropped': {}})
        hour = 3600
        self.assertLess(report['wall_s'], hour)
        self.assertGreater(report['wall_s'], 0.5, '60 frames at 100 per second')
        for figure in report['latency_ms'].values():
            self.assertTrue(0 <= figure < hour * 1e3, report['latency_ms'])
        for decision in report['inference'][0]['decisions']:
            self.assertTrue(0 <= decision['at_s'] < hour, decision)
        times = [json.loads(line)['time_ms'] for line in self.read('lines').splitlines()]
        self.assertEqual(times, [round(n * 1000 / 30, 3) for n in range(60)])


if __name__ == '__main__':
    unittest.main()
