#!/usr/bin/env python3
"""What the program does when the world outside goes wrong: its exit code, its message, its report.

  SLUICE_PROGRAM=build/release/bin/sluice run_faults.py [Outputs.test_a_second_signal_ends_at_once ...]
"""
import fcntl
import json
import math
import os
import pty
import random
import resource
import select
import signal
import socket
import subprocess
import sys
import termios
import threading

from faults import BARS, FACES, FRONT, Faults, main
from run_pipelines import PROGRAM, TIMEOUT_S


class Opening(Faults):
    """A run that cannot begin."""

    def test_a_failed_probe_is_reported(self):
        path = self.source_to('{uri: none.mp4}', 'type: json_sink, options: {path: out.jsonl, overwrite: true}')
        done = self.run_it(path, code=1)
        self.assertIn("node 'cam': '" + self.at('none.mp4') + "': no such file", done.stderr)
        report = self.report()
        self.assertEqual(report['status'], 'failed')
        self.assertIn('no such file', report['error'])
        self.assertEqual(report['frames'], {'produced': 0, 'delivered': 0, 'dropped': {}})
        self.assertEqual([sink['id'] for sink in report['sinks']], ['out'])
        self.assertEqual([node['id'] for node in report['nodes']], ['cam', 'out'])
        self.assertFalse(os.path.exists(self.at('out.jsonl')), 'no sink creates a file before the probe has succeeded')

    def test_all_that_fails_at_the_probe_is_said_at_once(self):
        self.write('kept.jsonl', 'precious\n')
        path = self.pipeline('id: a, type: video_source, options: {uri: none.mp4}',
                             'id: b, type: video_source, options: {uri: nothing.mp4}',
                             'id: s, type: json_sink, inputs: a, options: {path: kept.jsonl}',
                             'id: t, type: null_sink, inputs: b')
        done = self.run_it(path, code=1)
        for words in ("node 'a': ", "node 'b': ", "node 's': '" + self.at('kept.jsonl') + "' exists"):
            self.assertIn(words, done.stderr)

    def test_an_interrupt_ends_a_probe_that_waits(self):
        """A server that never answers, and a patient time-out: the first signal is enough."""
        with socket.create_server(('127.0.0.1', 0)) as server:
            path = self.source_to(f'{{uri: "http://ann:secret@127.0.0.1:{server.getsockname()[1]}/x", timeout_ms: 600000}}')
            process = self.start(path)
            server.settimeout(TIMEOUT_S)
            connection, _ = server.accept()
            process.send_signal(signal.SIGINT)
            _, errors = self.ended(process, 0)
            connection.close()
        self.assertNotIn('secret', errors)
        self.assertEqual(self.report()['status'], 'stopped')

    def start_for_a_pipe(self, *words):
        """A run whose pipe has no reader, once it waits for one."""
        os.mkfifo(self.at('lines'))
        process = self.start(self.source_to(BARS, 'type: json_sink, options: {path: lines}'), '-v', *words)
        for line in process.stderr:
            if 'nobody reads the pipe' in line:
                break
        return process

    def test_an_interrupt_ends_the_wait_for_a_reader(self):
        process = self.start_for_a_pipe()
        process.send_signal(signal.SIGTERM)
        self.ended(process, 0)
        self.assertEqual(self.report()['status'], 'stopped')

    def test_a_reader_that_comes_late_gets_all(self):
        process = self.start_for_a_pipe('--frames', '3')
        with open(self.at('lines'), encoding='utf-8') as pipe:
            self.assertEqual([json.loads(line)['frame'] for line in pipe], [0, 1, 2])
        self.ended(process, 0)
        self.assertEqual(self.report()['frames']['delivered'], 3)

    def test_outputs_must_not_meet_what_is_read(self):
        self.write('video.avi', 'precious')
        for sink, other in (('type: video_sink, options: {path: ./video.avi, overwrite: true}', "'cam' reads it"),
                            ('type: json_sink, options: {path: pipeline.yaml, overwrite: true}', 'it is the pipeline file itself')):
            done = self.run_it(self.source_to('{uri: video.avi}', sink), code=2)
            self.assertIn(other + '; writing would destroy it', done.stderr)
        self.assertEqual(self.read('video.avi'), 'precious')
        path = self.source_to(BARS, 'type: json_sink, options: {path: report.json, overwrite: true}')
        self.assertIn("but node 'out' uses that file", self.run_it(path, '--frames', '1', code=2).stderr)
        for option in ('--trace', '--collect-ranges'):
            for other, user in (('pipeline.yaml', 'the pipeline'), ('video.avi', "node 'cam'")):
                path = self.source_to('{uri: video.avi}')
                done = self.run_it(path, option, self.at(other), code=2)
                self.assertIn(f"{option} is '{self.at(other)}', but {user} uses that file", done.stderr)
        self.assertEqual(self.read('video.avi'), 'precious')

    def test_patterns_must_not_give_the_name_of_what_is_read(self):
        self.write('cam_000003.jpg', 'precious')
        for pictures, sink in (('cam_000003.jpg', '{source}_{frame}.jpg'), ('.', '{source}_{frame}.jpg'),
                               ('"*.jpg"', 'cam_{frame}.jpg')):
            path = self.pipeline('id: cam, type: image_source, options: {path: %s}' % pictures,
                                 'id: out, type: image_sink, inputs: cam, options: {path: "%s", overwrite: true}' % sink)
            done = self.run_it(path, code=2)
            self.assertRegex(done.stderr, "it can give the name '.*cam_000003.jpg', and 'cam' reads it; writing would destroy it")
        self.assertEqual(self.read('cam_000003.jpg'), 'precious')

    def test_a_hard_link_is_the_same_file(self):
        self.write('one.avi', 'precious')
        os.link(self.at('one.avi'), self.at('two.avi'))
        path = self.pipeline(f'id: cam, type: video_source, options: {BARS}',
                             'id: a, type: video_sink, inputs: cam, options: {path: one.avi, overwrite: true}',
                             'id: b, type: video_sink, inputs: cam, options: {path: two.avi, overwrite: true}')
        self.assertIn("but 'a' writes there too", self.run_it(path, code=2).stderr)
        path = self.source_to('{uri: one.avi}', 'type: video_sink, options: {path: two.avi, overwrite: true}')
        self.assertIn("but 'cam' reads it; writing would destroy it", self.run_it(path, code=2).stderr)
        self.assertEqual(self.read('one.avi'), 'precious')

    def test_two_sinks_on_one_path_are_two_however_it_is_written(self):
        path = self.pipeline(f'id: cam, type: video_source, options: {BARS}',
                             'id: a, type: json_sink, inputs: cam, options: {path: out.jsonl}',
                             'id: b, type: json_sink, inputs: cam, options: {path: ../%s/./out.jsonl}' % os.path.basename(self.folder))
        self.assertIn("but 'a' writes there too", self.run_it(path, code=2).stderr)


class Outputs(Faults):
    """Disks that are full and readers that went away."""

    def full(self, name):
        os.symlink('/dev/full', self.at(name))
        return name

    def test_a_full_disk_under_each_sink(self):
        for sink in ('type: json_sink, options: {path: %s, overwrite: true}' % self.full('full.jsonl'),
                     'type: video_sink, options: {path: %s, overwrite: true}' % self.full('full.mp4'),
                     'type: video_sink, options: {path: %s, overwrite: true}' % self.full('full.avi')):
            with self.subTest(sink=sink):
                done = self.run_it(self.source_to(BARS, sink), '--frames', '400', code=1)
                self.assertIn("node 'out': ", done.stderr)
                self.assertIn('No space left on device', done.stderr)
                self.assertEqual(self.report()['status'], 'failed')

    def test_a_full_disk_under_pictures(self):
        """A limit on the size of files stands for the full disk: each picture is a file of its own."""
        os.mkdir(self.at('pictures'))
        path = self.source_to('{uri: "test:noise", width: 640, height: 640}', 'type: image_sink, options: {path: pictures}')
        done = self.run_it(path, '--frames', '5', code=1,
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)))
        self.assertIn("node 'out': frame 0 of 'cam': ", done.stderr)
        self.assertIn('File too large', done.stderr)

    def test_a_full_disk_under_the_report(self):
        done = self.sluice('run', self.source_to(BARS), '--frames', '3', '--report', '/dev/full')
        self.assertEqual(done.returncode, 1)
        self.assertIn("--report: '/dev/full' cannot be written: No space left on device", done.stderr)

    def test_a_reader_that_does_not_read_is_waited_for_until_a_signal(self):
        """The pipe is full and stays so: after the signal the run is abandoned, and everything is counted."""
        process = self.start(self.source_to(BARS, 'type: json_sink, options: {path: "-"}'), stdout=subprocess.PIPE)
        self.wait_until_full(process.stdout)
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
        process.wait(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, 1, errors)
        self.assertIn("node 'out' is still working on frame ", errors)
        self.assertIn('so the run was abandoned', errors)
        report = self.report()
        self.assertEqual(report['status'], 'failed')
        self.assertEqual(report['nodes'][-1]['dropped']['timeout'], 1)
        self.assertIn('cancelled', report['frames']['dropped'])

    def test_an_error_output_that_is_not_read_holds_no_frame_up(self):
        """What is logged waits; the frames do not."""
        path = self.write('fails.yaml', 'version: 1\nmodels: {m: {path: %s}}\nnodes:\n' % FRONT +
                          '  - {id: cam, type: video_source, options: {uri: "test:bars", width: 64, height: 64}}\n'
                          '  - {id: pre, type: preprocess, inputs: cam, options: {model: m}}\n'
                          '  - {id: face, type: infer, inputs: pre, options: {model: m, backends: [fake], '
                          'fake: {latency_ms: 0, fail_at: [1, 3, 5, 7]}}}\n'
                          '  - {id: none, type: null_sink, inputs: face}\n'
                          '  - {id: out, type: json_sink, inputs: cam, options: {path: "-"}}\n')
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, bytes(4096))
        except BlockingIOError:
            os.set_blocking(writing, True)
        with subprocess.Popen([PROGRAM, 'run', path, '--report', self.at('report.json')], stdout=subprocess.PIPE, stderr=writing,
                              cwd=self.folder) as process:
            self.addCleanup(process.kill)
            os.close(writing)
            for _ in range(300):
                self.assertNotEqual(process.stdout.readline(), b'')
            process.send_signal(signal.SIGINT)
            threading.Thread(target=process.stdout.read).start()
            with open(reading, 'rb') as errors:
                said = errors.read()
            process.wait(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, 0, said[-1000:])
        # Two runs at once: which of the four failures comes first is open, and only the first is said at once.
        self.assertRegex(said, rb"node 'face': frame \d+ of 'cam': ")
        self.assertEqual(self.report()['frames']['dropped']['failed'], 4)

    @staticmethod
    def wait_until_full(pipe):
        """Until the pipe holds as much as it can and nothing more comes."""
        held, same = -1, 0
        while same < 20:
            now = int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
            same = same + 1 if now == held and now > 32768 else 0
            held = now
            select.select([], [], [], 0.05)

    def test_a_second_signal_ends_at_once(self):
        process = self.start(self.source_to(BARS, 'type: json_sink, options: {path: "-"}'), stdout=subprocess.PIPE)
        self.wait_until_full(process.stdout)
        process.send_signal(signal.SIGINT)
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
            select.select([], [], [], 0.05)
        self.assertEqual(process.returncode, 130)


class Terminal(Faults):
    """As when a connection breaks: the program loses its terminal, not its report."""

    def start_in_a_session(self, command):
        """An endless run with a terminal of its own (what a session's leader opens to read becomes that), once it has begun."""
        self.terminal, end = pty.openpty()
        # pylint: disable-next=consider-using-with  # the callers wait for it
        process = subprocess.Popen(['sh', '-c', command + ' "$0" "$@" 2<>"$TERMINAL"', PROGRAM, 'run',
                                    self.source_to(BARS, 'type: json_sink, options: {path: "-"}'), '--pace', 'realtime', '--report',
                                    self.at('report.json')], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                   cwd=self.folder, start_new_session=True, env=dict(os.environ, TERMINAL=os.ttyname(end)),
                                   preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))
        self.addCleanup(self.finish, process)
        process.stdout.readline()
        os.close(end)
        return process

    def test_that_closes_drains(self):
        process = self.start_in_a_session('exec')
        os.close(self.terminal)
        process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.report()['status'], 'stopped')

    def test_that_closes_does_not_end_what_nohup_started(self):
        process = self.start_in_a_session('exec nohup')
        os.close(self.terminal)
        for _ in range(60):
            self.assertNotEqual(process.stdout.readline(), '', 'it goes on')
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, 0)


class Memory(Faults):
    """The k-th allocation of the whole program fails: it says so and ends with 1 (or 3, where a model was to be read)."""

    LIBRARY = os.environ.get('SLUICE_SHORT_OF_MEMORY', '')

    def face_pipeline(self):
        return self.write('face.yaml', 'version: 1\nmodels: {face: {path: %s}}\nnodes:\n' % FRONT +
                          '  - {id: cam, type: video_source, options: {uri: %s}}\n' % FACES +
                          '  - {id: pre, type: preprocess, inputs: cam, options: {model: face, mean: 127.5, std: 127.5}}\n'
                          '  - {id: face, type: infer, inputs: pre, options: {model: face}}\n'
                          '  - {id: boxes, type: detect, inputs: face, options: {decoder: blazeface}}\n'
                          '  - {id: drawn, type: draw, inputs: {image: cam, detections: {from: boxes, sync: latest}}}\n'
                          '  - {id: out, type: json_sink, inputs: boxes, options: {path: "-"}}\n'
                          '  - {id: film, type: video_sink, inputs: drawn, options: {path: film.avi, overwrite: true}}\n')

    def run_short(self, path, k):
        for name in ('report.json', 'inside'):
            if os.path.exists(self.at(name)):
                os.unlink(self.at(name))
        environment = dict(os.environ, LD_PRELOAD=self.LIBRARY, SHORT_OF_MEMORY=str(k), SHORT_OF_MEMORY_COUNT=self.at('count'),
                           SHORT_OF_MEMORY_INSIDE=self.at('inside'))
        return self.sluice('run', path, '--frames', '4', '--report', self.at('report.json'), env=environment)

    def fail_at(self, path, k):
        with self.subTest(k=k):
            done = self.run_short(path, k)
            # ONNX Runtime frees twice, or what it has not made, when some of its own allocations fail: no caller can prevent it.
            if done.returncode in (-signal.SIGSEGV, -signal.SIGABRT) and os.path.exists(self.at('inside')):
                return
            self.assertIn(done.returncode, (0, 1, 3), done.stderr)
            self.nothing_is_left_over()
            if done.returncode:
                self.assertIn('error', done.stderr)
            if os.path.exists(self.at('report.json')):
                report = self.report()
                self.assertEqual(report['status'] == 'failed', done.returncode != 0, done.stderr)

    def fail_at_random(self, points, seed):
        path = self.face_pipeline()
        self.assertEqual(self.run_short(path, 0).returncode, 0)
        total = int(self.read('count'))
        self.assertGreater(total, 1000)
        choose = random.Random(seed)
        # Most are Sluice's own before the engine and the codec are loaded: each order of magnitude gets its share.
        for k in [round(math.exp(choose.uniform(0, math.log(total)))) for _ in range(points)]:
            with self.subTest(of=total, seed=seed):
                self.fail_at(path, k)

    def test_at_forty_points(self):
        self.fail_at_random(40, 20261126)


class MemorySlow(Memory):
    def test_at_five_hundred_points(self):
        self.fail_at_random(500, 1)

    def test_at_each_of_the_first_five_hundred(self):
        path = self.face_pipeline()
        for k in range(1, 501):
            self.fail_at(path, k)


if __name__ == '__main__':
    main()
