#!/usr/bin/env python3
"""What the program does when the world outside goes wrong: its exit code, its message, its report.

  SLUICE_PROGRAM=build/release/bin/sluice run_faults.py [Camera.test_stall ...]

The cameras are served by rtsp_camera.py (Debian's packages, through `tools/dev setup`).
"""
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import unittest

from run_pipelines import PROGRAM, ROOT, TIMEOUT_S, Program, lost

HERE = os.path.dirname(os.path.abspath(__file__))
FACES = os.path.join(ROOT, 'data/videos/face720.mp4')
FRONT = os.path.join(ROOT, 'data/models/face_detection_front_128x128.onnx')
BARS = '{uri: "test:bars", width: 64, height: 64, fps: 30}'


class Faults(Program):
    """Small pipelines written on the spot."""

    def pipeline(self, *nodes, more=''):
        return self.write('pipeline.yaml', 'version: 1\nnodes:\n' + ''.join(f'  - {{{node}}}\n' for node in nodes) + more)

    def source_to(self, options, sink='type: null_sink', more=''):
        return self.pipeline(f'id: cam, type: video_source, options: {options}', f'id: out, inputs: cam, {sink}', more=more)

    def report(self):
        report = json.loads(self.read('report.json'))
        self.check_equations(report)
        return report

    def run_it(self, path, *words, code=0, **more):
        done = self.sluice('run', path, '--report', self.at('report.json'), *words, **more)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def start(self, path, *words, **more):
        # pylint: disable-next=consider-using-with  # the callers wait for it
        process = subprocess.Popen([PROGRAM, 'run', path, '--report', self.at('report.json'), *words],
                                   stderr=subprocess.PIPE, text=True, cwd=self.folder, **more)
        self.addCleanup(self.finish, process)
        return process

    @staticmethod
    def finish(process):
        process.kill()
        process.communicate()

    def ended(self, process, code):
        out, errors = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, code, errors)
        return out, errors

    @staticmethod
    def ffmpeg(*words):
        subprocess.run(['ffmpeg', '-v', 'error', '-y', *words], check=True, timeout=TIMEOUT_S)


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

    def test_outputs_must_not_meet_what_is_read(self):
        self.write('video.avi', 'precious')
        for sink, other in (('type: video_sink, options: {path: ./video.avi, overwrite: true}', "'cam' reads it"),
                            ('type: json_sink, options: {path: pipeline.yaml, overwrite: true}', 'it is the pipeline file itself')):
            done = self.run_it(self.source_to('{uri: video.avi}', sink), code=2)
            self.assertIn(other + '; writing would destroy it', done.stderr)
        self.assertEqual(self.read('video.avi'), 'precious')
        path = self.source_to(BARS, 'type: json_sink, options: {path: report.json, overwrite: true}')
        self.assertIn("but node 'out' uses that file", self.run_it(path, '--frames', '1', code=2).stderr)

    def test_two_sinks_on_one_path_are_two_however_it_is_written(self):
        path = self.pipeline(f'id: cam, type: video_source, options: {BARS}',
                             'id: a, type: json_sink, inputs: cam, options: {path: out.jsonl}',
                             'id: b, type: json_sink, inputs: cam, options: {path: ../%s/./out.jsonl}' % os.path.basename(self.folder))
        self.assertIn("but 'a' writes there too", self.run_it(path, code=2).stderr)


class Video(Faults):
    """Files that are no videos, or broken ones."""

    def test_what_holds_no_picture(self):
        self.write('text.mp4', 'this is no video\n' * 100)
        self.write('empty.mp4', '')
        self.ffmpeg('-f', 'lavfi', '-i', 'sine=d=1', self.at('sound.mp4'))
        self.ffmpeg('-f', 'lavfi', '-i', 'testsrc2=s=64x64:d=1', '-frames:v', '5', self.at('whole.mp4'))
        with open(self.at('whole.mp4'), 'rb') as source, open(self.at('header.mp4'), 'wb') as target:
            target.write(source.read(40))
        os.mkdir(self.at('folder.mp4'))
        for name, words in (('text.mp4', 'it is cut off, broken or no video'), ('empty.mp4', 'is empty (0 bytes)'),
                            ('sound.mp4', 'holds no video'), ('header.mp4', 'it is cut off, broken or no video'),
                            ('folder.mp4', ''), ('none.mp4', 'no such file')):
            with self.subTest(name=name):
                done = self.run_it(self.source_to(f'{{uri: {name}}}'), code=1)
                self.assertIn("node 'cam': '" + self.at(name) + "'", done.stderr)
                self.assertIn(words, done.stderr)
                self.assertEqual(self.report()['status'], 'failed')

    def test_damage_takes_numbers_and_is_counted(self):
        """Motion JPEG: every picture stands alone, so those that are overwritten are lost and no others."""
        self.ffmpeg('-f', 'lavfi', '-i', 'testsrc2=s=160x120:d=2:r=25', '-c:v', 'mjpeg', self.at('good.avi'))
        with open(self.at('good.avi'), 'rb') as source:
            data = bytearray(source.read())
        starts, at = [], data.find(b'\xff\xd8\xff')
        while at >= 0:
            starts.append(at)
            at = data.find(b'\xff\xd8\xff', at + 3)
        self.assertEqual(len(starts), 50)
        broken = (7, 20, 21)
        for number in broken:
            data[starts[number]:starts[number] + 400] = bytes(400)
        with open(self.at('bad.avi'), 'wb') as target:
            target.write(data)
        done = self.run_it(self.source_to('{uri: bad.avi}', 'type: json_sink, options: {path: "-"}'))
        frames = [json.loads(line)['frame'] for line in done.stdout.splitlines()]
        self.assertEqual(frames, [n for n in range(50) if n not in broken])
        source = self.report()['sources'][0]
        self.assertEqual((source['produced'], source['corrupt']), (47, 3))
        self.assertIn('counted as corrupt', done.stderr)

    def two_sizes(self):
        """An MPEG stream whose picture grows and shrinks: 30 frames of 64x64, 30 of 320x240, 30 of 64x64."""
        with open(self.at('sizes.ts'), 'wb') as target:
            for i, size in enumerate(('64x64', '320x240', '64x64')):
                part = self.at(f'part{i}.ts')
                self.ffmpeg('-f', 'lavfi', '-i', f'testsrc2=s={size}:r=30', '-frames:v', '30', '-c:v', 'libx264', '-bf', '0',
                            '-output_ts_offset', str(i), part)
                with open(part, 'rb') as source:
                    target.write(source.read())
        return 'sizes.ts'

    def test_the_size_changes_in_mid_stream(self):
        name = self.two_sizes()
        for mode in ('lossless', 'realtime'):
            path = self.pipeline(f'id: cam, type: video_source, options: {{uri: {name}}}',
                                 'id: drawn, type: draw, inputs: {image: cam}, options: {show_fps: true}',
                                 'id: pre, type: preprocess, inputs: cam, options: {width: 32, height: 32}',
                                 'id: tensor, type: null_sink, inputs: pre',
                                 'id: lines, type: json_sink, inputs: {raw: cam, drawn: drawn}, options: {path: "-"}',
                                 'id: film, type: video_sink, inputs: drawn, options: {path: film.mp4, overwrite: true}',
                                 more=f'flow: {{mode: {mode}}}\n')
            pace = ['--pace', '30'] if mode == 'realtime' else []
            done = self.run_it(path, *pace)
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            if mode == 'lossless':
                self.assertEqual([line['frame'] for line in lines], list(range(90)))
            self.assertGreater(len(lines), 45)
            for line in lines:
                size = (320, 240) if 30 <= line['frame'] < 60 else (64, 64)
                for key in ('raw', 'drawn'):
                    self.assertEqual((line[key]['width'], line[key]['height']), size, line)
            report = self.report()
            self.assertEqual(report['sources'][0]['format_changes'], 2)
            self.assertEqual(report['sources'][0]['produced'], 90)
            self.assertIn("it is scaled to the file's 64x64", done.stderr)

    def test_a_size_beyond_the_limit_ends_the_source(self):
        path = self.source_to(f'{{uri: {self.two_sizes()}, max_width: 200, max_height: 200}}')
        done = self.run_it(path, code=1)
        self.assertIn('the picture has 320x240 pixels, more than max_width x max_height (200x200) allow', done.stderr)
        report = self.report()
        self.assertEqual(report['status'], 'failed')
        self.assertEqual(report['sources'][0]['delivered'], 30)


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

    @staticmethod
    def wait_until_full(pipe):
        """Until the pipe holds as much as it can and nothing more comes."""
        import fcntl  # pylint: disable=import-outside-toplevel
        import termios  # pylint: disable=import-outside-toplevel
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


class Models(Faults):
    """Models that cannot be used: exit code 3, at the place that names them."""

    NODES = ('id: cam, type: video_source, options: ' + BARS, 'id: pre, type: preprocess, inputs: cam, options: {model: face}',
             'id: face, type: infer, inputs: pre, options: {model: face}', 'id: out, type: null_sink, inputs: face')

    def refused(self, path, words, extra=''):
        pipeline = self.pipeline(*self.NODES, more=f'models: {{face: {{path: {path}{extra}}}}}\n')
        for command in ('check', 'plan', 'run'):
            done = self.sluice(command, pipeline)
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertEqual(done.stdout, '')
            self.assertIn(pipeline + ':7:', done.stderr)
            self.assertIn(words, done.stderr)

    def test_files_that_are_no_models(self):
        with open(FRONT, 'rb') as source:
            whole = source.read()
        self.write('empty.onnx', '')
        self.write('text.onnx', 'no model ' * 1000)
        with open(self.at('cut.onnx'), 'wb') as target:
            target.write(whole[:len(whole) // 2])
        with open(self.at('huge.onnx'), 'wb') as target:
            target.truncate(5 << 30)
        os.mkdir(self.at('folder.onnx'))
        for name, words in (('none.onnx', 'there is no file'), ('empty.onnx', 'empty'), ('text.onnx', ''), ('cut.onnx', 'cut'),
                            ('huge.onnx', ''), ('folder.onnx', '')):
            with self.subTest(name=name):
                self.refused(name, words)
        self.refused(FRONT, 'sha256', ', sha256: ' + 'ab' * 32)

    def test_a_free_dimension_must_be_fixed(self):
        with open(self.at('dynamic.onnx'), 'wb') as target:
            target.write(tiny_model(dims=(b'N', 3, b'H', b'W')))
        self.refused('dynamic.onnx', "'H'")

    def test_external_data_stays_in_its_folder(self):
        os.makedirs(self.at('models/sub'))
        self.write('secret.bin', 'x' * 64)
        os.symlink('../secret.bin', self.at('models/link.bin'))
        os.link(self.at('secret.bin'), self.at('models/hard.bin'))
        for location in ('../secret.bin', self.at('secret.bin'), 'link.bin', 'hard.bin', 'sub/../../secret.bin'):
            with self.subTest(location=location):
                with open(self.at('models/m.onnx'), 'wb') as target:
                    target.write(tiny_model(location=location.encode()))
                self.refused('models/m.onnx', 'external data')


def field(number, payload):
    """One length-delimited field of a protocol buffer."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def number_field(number, value):
    return varint(number << 3) + varint(value)


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def value_info(name, dims):
    shape = b''.join(field(1, field(2, d) if isinstance(d, bytes) else number_field(1, d)) for d in dims)
    return field(1, name) + field(2, field(1, number_field(1, 1) + field(2, shape)))


def tiny_model(dims=(1, 3, 8, 8), location=None):
    """y = x + w, in ONNX's protocol buffers (onnx.proto, IR version 8); w lies at `location` when given."""
    weight = number_field(1, 1) + number_field(2, 1) + field(8, b'w')
    if location is None:
        weight += field(9, bytes(4))
    else:
        weight += field(13, field(1, b'location') + field(2, location)) + number_field(14, 1)
    node = field(1, b'x') + field(1, b'w') + field(2, b'y') + field(4, b'Add')
    graph = field(1, node) + field(2, b'g') + field(5, weight) + field(11, value_info(b'x', dims)) + field(12, value_info(b'y', dims))
    return number_field(1, 8) + field(7, graph) + field(8, number_field(2, 13))


class Yaml(Faults):
    """Hostile files: exit code 2, with a place, at once."""

    GOOD = 'version: 1\nnodes:\n  - {id: a, type: video_source, options: {uri: "test:bars"}}\n  - {id: s, type: null_sink, inputs: a}\n'

    def test_hostile_files(self):
        bomb = 'version: 1\nx0: &x0 [1, 1]\n' + ''.join(f'x{i}: &x{i} [{", ".join([f"*x{i - 1}"] * 9)}]\n' for i in range(1, 12))
        for name, text, words in (
                ('bomb', bomb, 'more than 10,000 values'),
                ('cycle', 'version: 1\nnodes: &n\n  - *n\n', '(a cycle)'),
                ('deep', 'version: 1\nnodes: ' + '[' * 100000, 'nested deeper than 64 levels'),
                ('nul', self.GOOD.replace('null', 'nu\0ll'), 'a NUL byte'),
                ('huge', self.GOOD + '#' * (1 << 20), 'more than 262144 bytes'),
                ('many', self.GOOD + 'x: [' + '1, ' * 20000 + '1]\n', 'more than 10,000 values'),
                ('merge', self.GOOD.replace('{uri', '{<<: {loop: true}, uri'), "merge keys ('<<') are not allowed"),
                ('documents', self.GOOD + '---\n' + self.GOOD, 'a second document starts here'),
                ('nan', self.GOOD.replace('{uri', '{timeout_ms: .nan, uri'), 'only finite numbers are allowed'),
                ('unset', self.GOOD.replace('test:bars', '${SLUICE_NO_SUCH}'), "'SLUICE_NO_SUCH' is not set"),
                ('open', self.GOOD.replace('"test:bars"', '"test:bars'), 'error: '),
                ('duplicate', self.GOOD + 'version: 1\n', "key 'version' is written twice"),
                ('nothing', '', 'there is nothing in it')):
            with self.subTest(name=name):
                path = self.write(name + '.yaml', text)
                for command in ('check', 'run'):
                    done = self.sluice(command, path)
                    self.assertEqual(done.returncode, 2, done.stderr[:2000])
                    self.assertEqual(done.stdout, '')
                    self.assertIn(path + ':', done.stderr)
                    self.assertIn(words, done.stderr)

    def test_bytes_that_are_no_text(self):
        for data in (self.GOOD.encode('utf-16'), self.GOOD.encode() + b'# \xff\n', os.urandom(4096)):
            with open(self.at('bytes.yaml'), 'wb') as target:
                target.write(data)
            self.assertEqual(self.sluice('check', self.at('bytes.yaml')).returncode, 2)


class Camera(Faults):
    """A network camera that stalls, disconnects and comes back; another source beside it goes on unharmed."""

    def camera(self, *words):
        # pylint: disable-next=consider-using-with  # stopped below, and by the tests
        process = subprocess.Popen([os.path.join(HERE, 'rtsp_camera.py'), *words], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.stop_camera, process)
        port = process.stdout.readline().strip()
        self.assertTrue(port, 'the camera does not start')
        return process, port

    @staticmethod
    def stop_camera(process):
        process.kill()
        process.wait()
        process.stdout.close()

    def with_another(self, port, options):
        return self.pipeline(
            f'id: cam, type: video_source, options: {{uri: "rtsp://ann:secret@127.0.0.1:{port}/cam", {options}}}',
            'id: other, type: video_source, options: {uri: "test:bars", width: 64, height: 64, fps: 30, pace: realtime}',
            'id: out, type: json_sink, inputs: cam, options: {path: "-"}', 'id: rest, type: null_sink, inputs: other')

    @staticmethod
    def next_line(process):
        return json.loads(process.stdout.readline())

    def lines(self, process, count):
        return [self.next_line(process) for _ in range(count)]

    def others_unharmed(self, report):
        other = report['sources'][1]
        self.assertEqual(other['id'], 'other')
        self.assertNotIn('error', other)
        self.assertGreater(other['delivered'], 0)
        self.assertEqual(other['produced'], other['delivered'] + lost(other))

    def test_connect(self):
        _, port = self.camera('0', '320x240', 'ann:secret')
        path = self.source_to(f'{{uri: "rtsp://ann:secret@127.0.0.1:{port}/cam"}}', 'type: json_sink, options: {path: "-"}')
        done = self.run_it(path, '--frames', '20')
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual({(line['image']['width'], line['image']['height']) for line in lines}, {(320, 240)})
        self.assertEqual(self.report()['sources'][0]['produced'], 20)
        self.assertNotIn('secret', done.stderr + self.read('report.json'))

    def test_wrong_address_or_password(self):
        _, port = self.camera('0', '320x240', 'ann:secret')
        for uri, words in ((f'rtsp://ann:guess@127.0.0.1:{port}/cam', '401'), (f'rtsp://ann:secret@127.0.0.1:{port}/none', '404'),
                           ('rtsp://ann:secret@127.0.0.1:1/cam', 'Connection refused')):
            done = self.run_it(self.source_to(f'{{uri: "{uri}"}}'), code=1)
            self.assertIn(words, done.stderr)
            self.assertIn('ann:***@127.0.0.1', done.stderr)
            for text in (done.stderr, self.read('report.json')):
                self.assertNotIn('guess', text)
                self.assertNotIn('secret', text)

    def test_a_disconnect_is_mended_and_counted(self):
        camera, port = self.camera('0', '320x240', 'ann:secret')
        process = self.start(self.with_another(port, 'timeout_ms: 5000'), stdout=subprocess.PIPE)
        self.lines(process, 5)
        self.stop_camera(camera)
        self.camera(port, '160x120', 'ann:secret')
        while self.next_line(process)['image']['width'] != 160:
            pass
        process.send_signal(signal.SIGINT)
        _, errors = self.ended(process, 0)
        report = self.report()
        cam = report['sources'][0]
        self.assertGreaterEqual(cam['reconnects'], 1)
        self.assertEqual(cam['format_changes'], 1)
        self.others_unharmed(report)
        self.assertIn('connecting again', errors)
        self.assertNotIn('secret', errors + self.read('report.json'))

    def test_a_stall_times_out_and_is_mended(self):
        camera, port = self.camera('0', '320x240', 'ann:secret')
        process = self.start(self.with_another(port, 'timeout_ms: 1000'), stdout=subprocess.PIPE)
        self.lines(process, 5)
        camera.send_signal(signal.SIGSTOP)
        said = process.stderr.readline()
        while 'connecting again' not in said:
            said = process.stderr.readline()
        self.assertIn('did not answer within 1000 ms', said)
        camera.send_signal(signal.SIGCONT)
        first = self.next_line(process)['frame']
        self.assertGreater(self.next_line(process)['frame'], first)
        process.send_signal(signal.SIGINT)
        self.ended(process, 0)
        report = self.report()
        self.assertGreaterEqual(report['sources'][0]['reconnects'], 1)
        self.others_unharmed(report)

    def test_without_reconnect_a_disconnect_ends_the_source_by_error(self):
        camera, port = self.camera('0', '320x240', 'ann:secret')
        process = self.start(self.with_another(port, 'timeout_ms: 2000, reconnect: false'), '--duration', '8s', stdout=subprocess.PIPE)
        self.lines(process, 5)
        camera.send_signal(signal.SIGSTOP)
        _, errors = self.ended(process, 1)
        self.assertIn("node 'cam': 'rtsp://ann:***@127.0.0.1", errors)
        report = self.report()
        self.assertEqual(report['status'], 'failed')
        self.others_unharmed(report)
        self.assertGreater(report['sources'][1]['delivered'], 100, 'the run goes on while one source lives')

    def test_a_signal_ends_the_wait_for_a_camera_that_went_away(self):
        camera, port = self.camera('0', '320x240', 'ann:secret')
        process = self.start(self.with_another(port, 'timeout_ms: 1000'), stdout=subprocess.PIPE)
        self.lines(process, 5)
        self.stop_camera(camera)
        while 'connecting again' not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        self.ended(process, 0)
        self.assertEqual(self.report()['status'], 'stopped')


if __name__ == '__main__':
    if not os.access(PROGRAM, os.X_OK):
        sys.exit(f'error: {PROGRAM} cannot be run: build it, or set SLUICE_PROGRAM')
    unittest.main()
