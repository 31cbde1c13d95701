#!/usr/bin/env python3
"""Runs the shipped pipelines with the program as users do, and checks what they leave behind (standard library only).

  SLUICE_PROGRAM=build/release/bin/sluice run_pipelines.py [Shipped.test_hello ...]

Needs what `tools/dev setup` fetches. SLUICE_PACED=0: rates are not checked (sanitizers, debug builds).
"""
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
PIPELINES = os.path.join(ROOT, 'pipelines')
PROGRAM = os.path.abspath(os.environ.get('SLUICE_PROGRAM', os.path.join(ROOT, 'build/release/bin/sluice')))
PACED = os.environ.get('SLUICE_PACED', '1') != '0'
TIMEOUT_S = 240


def overlap(a, b):
    """Intersection over union of two boxes [x, y, w, h]."""
    w = max(0.0, min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]))
    h = max(0.0, min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]))
    return w * h / (a[2] * a[3] + b[2] * b[3] - w * h)


def lost(counts):
    return sum(counts['dropped'].values())


class Program(unittest.TestCase):
    """Runs the program in a folder of its own; nothing may hang."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='sluice_pipelines.')
        self.addCleanup(shutil.rmtree, self.folder)

    def at(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.at(name), 'w', encoding='utf-8') as target:
            target.write(text)
        return self.at(name)

    def read(self, name):
        with open(self.at(name), encoding='utf-8') as source:
            return source.read()

    @staticmethod
    def shipped(name):
        return os.path.join(PIPELINES, name + '.yaml')

    @staticmethod
    def sluice(*words, stdout=subprocess.PIPE, **more):
        return subprocess.run([PROGRAM, *words], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT_S,
                              cwd=ROOT, check=False, **more)

    def run_pipeline(self, name, *words, code=0, **more):
        """(finished process, its report) of a shipped pipeline; the report's equations hold."""
        done = self.sluice('run', self.shipped(name), '--report', self.at('report.json'), *words, **more)
        self.assertEqual(done.returncode, code, done.stderr)
        report = json.loads(self.read('report.json'))
        self.check_equations(report)
        return done, report

    def check_equations(self, report):
        """Contract section 3, rule 4: every frame is accounted for, at sources, sinks and nodes."""
        for source in report['sources']:
            self.assertEqual(source['produced'], source['delivered'] + lost(source), source)
        for key in ('produced', 'delivered'):
            self.assertEqual(report['frames'][key], sum(source[key] for source in report['sources']))
        self.assertEqual(lost(report['frames']), sum(map(lost, report['sources'])))
        for sink in report['sinks']:
            self.assertEqual(sink['due'], sink['delivered'] + lost(sink), sink)
        for node in report['nodes']:
            self.assertEqual(node['in'], node['processed'] + node['filtered'] + lost(node), node)

    def check_lines(self, text, frames, source, key):
        """One line of JSON per frame, in order; returns them."""
        lines = [json.loads(line) for line in text.splitlines()]
        self.assertEqual([line['frame'] for line in lines], list(frames))
        for line in lines:
            self.assertEqual(line['source'], source)
            self.assertIn(key, line)
        times = [line['time_ms'] for line in lines]
        self.assertEqual(times, sorted(times))
        return lines

    def faces_of(self, *words):
        """(the one face of each of 20 frames, the inference entry, whether all was simulated) of face_fast_htp."""
        done, report = self.run_pipeline('face_fast_htp', '--frames', '20', *words)
        lines = self.check_lines(done.stdout, range(20), 'camera', 'detections')
        self.assertEqual([len(line['detections']) for line in lines], [1] * 20)
        return [line['detections'][0] for line in lines], report['inference'][0], report['simulated']

    @staticmethod
    def sink(report, name):
        return next(sink for sink in report['sinks'] if sink['id'] == name)


class Shipped(Program):
    """Every file of pipelines/ runs as it is, in the way its comment says."""

    def test_all_have_a_test_and_are_valid(self):
        names = sorted(name[:-len('.yaml')] for name in os.listdir(PIPELINES) if name.endswith('.yaml'))
        for name in names:
            self.assertTrue(hasattr(self, 'test_' + name), f'pipelines/{name}.yaml has no test here')
        done = self.sluice('check', *map(self.shipped, names))
        self.assertEqual((done.returncode, done.stderr), (0, ''))

    def test_hello(self):
        done, report = self.run_pipeline('hello', '--frames', '30')
        self.check_lines(done.stdout, range(0, 30, 2), 'pattern', 'image')
        self.assertEqual(report['frames'], {'produced': 30, 'delivered': 15, 'dropped': {'filtered': 15}})
        self.assertEqual(report['status'], 'completed')

    def test_face_fast(self):
        done, report = self.run_pipeline('face_fast')
        self.assertGreater(report['frames']['produced'], 200)
        self.assertEqual(report['frames']['delivered'], report['frames']['produced'])
        lines = self.check_lines(done.stdout, range(report['frames']['produced']), 'camera', 'detections')
        self.assertTrue(all(len(line['detections']) == 1 for line in lines), 'the video has one face in every frame')
        self.assertEqual(report['inference'][0]['backend'], 'cpu')
        self.assertFalse(report['simulated'])

    def test_face_fast_gpu(self):
        """All operators run on the OpenCL device, and the faces are the CPU's."""
        self.assertIn('gpu: available', self.sluice('doctor').stdout)
        done, report = self.run_pipeline('face_fast_gpu', '--frames', '30')
        entry = report['inference'][0]
        self.assertEqual(entry['backend'], 'gpu')
        self.assertEqual(entry['operators']['on_backend'], entry['operators']['total'])
        self.assertEqual(entry['operators']['elsewhere'], {})
        lines = self.check_lines(done.stdout, range(30), 'camera', 'detections')
        cpu = self.check_lines(self.run_pipeline('face_fast', '--frames', '30')[0].stdout, range(30), 'camera', 'detections')
        for ours, theirs in zip(lines, cpu):
            self.assertEqual(len(ours['detections']), len(theirs['detections']))
            for a, b in zip(ours['detections'], theirs['detections']):
                self.assertAlmostEqual(a['score'], b['score'], delta=1e-3)
                for p, q in zip(a['box'], b['box']):
                    self.assertAlmostEqual(p, q, delta=0.5)

    def check_on_simulator(self, cpu, least_overlap, *words):
        found, entry, simulated = self.faces_of(*words)
        self.assertEqual((entry['backend'], entry['simulated'], simulated), ('htp', True, True))
        self.assertGreater(entry['operators']['total'], 100)
        self.assertEqual(entry['operators']['on_backend'], entry['operators']['total'])
        self.assertEqual((entry['operators']['elsewhere'], entry['warnings']), ({}, []))
        for ours, theirs in zip(found, cpu):
            self.assertGreaterEqual(overlap(ours['box'], theirs['box']), least_overlap)
            self.assertLessEqual(abs(ours['score'] - theirs['score']), 0.02)

    @unittest.skipUnless(platform.machine() == 'x86_64', 'only there it is a simulator that answers')
    def test_face_fast_htp(self):
        """The NPU finds what the CPU finds with the same integer model: on the chip of the file and on the oldest class."""
        cpu, entry, simulated = self.faces_of('--set', 'face.backends=[cpu]')
        self.assertEqual((entry['backend'], simulated), ('cpu', False))
        self.check_on_simulator(cpu, 0.95)  # seen: 0.998
        self.check_on_simulator(cpu, 0.95, '--set', 'face.htp.soc=qcs6490')  # v68, coarser; seen: 0.977

    def test_thermal_two_models(self):
        """A simulated device: every frame accounted for, nothing written, and the heat costs rate."""
        done, report = self.run_pipeline('thermal_two_models', '--device', 'sim:qcs6490', '--frames', '200')
        self.assertEqual(done.stdout, '', 'sinks count but write nothing')
        self.assertTrue(report['simulated'])
        self.assertEqual([entry['backend'] for entry in report['inference']], ['htp', 'htp'])
        hot = self.sluice('thermal', self.shipped('thermal_two_models'), '--device', 'sim:qcs6490', '--ambient', '35',
                          '--report', self.at('page.html'), '--json', self.at('result.json'), '--csv',
                          self.at('windows.csv'), '--min-stability', '0.8')
        self.assertEqual(hot.returncode, 4, hot.stderr)
        self.assertIn('--min-stability 0.8: stability is 0.', hot.stderr)
        self.assertIn('simulated qcs6490 at 35 degrees C', hot.stdout)
        result = json.loads(self.read('result.json'))
        self.assertEqual((result['simulated'], result['device'], result['ambient_c']), (True, 'qcs6490', 35))
        run, = result['runs']
        self.assertLess(run['stability'], 0.8)
        self.assertGreater(run['peak_fps'], run['sustained_fps'])
        load = [window for window in run['windows'] if window['phase'] == 'load']
        self.assertEqual(len(load), 180)
        self.assertAlmostEqual(load[0]['t_s'], 10)
        self.assertEqual(load[0]['backend'], {'near': 'htp', 'far': 'htp'})
        self.assertEqual(len(self.read('windows.csv').splitlines()), len(run['windows']) + 1)
        page = self.read('page.html')
        self.assertIn('SIMULATED', page)
        for outside in ('http:', 'https:', '<script', '@import', 'url('):
            self.assertNotIn(outside, page)

    def test_face_fast_looped(self):
        """Numbers and times go on over the end of the file."""
        done, report = self.run_pipeline('face_fast', '--set', 'camera.loop=true', '--frames', '600')
        self.check_lines(done.stdout, range(600), 'camera', 'detections')
        self.assertEqual(report['frames'], {'produced': 600, 'delivered': 600, 'dropped': {}})

    def test_adaptive(self):
        done, report = self.run_pipeline('adaptive')
        self.assertEqual(report['frames']['delivered'], report['frames']['produced'])
        lines = self.check_lines(done.stdout, range(report['frames']['produced']), 'camera', 'detections')
        self.assertTrue(all(len(line['detections']) == 1 for line in lines), 'the video has one face in every frame')
        face = report['inference'][0]
        self.assertEqual((face['backend'], face['variant']), ('cpu', 'small'), 'a sixth of the arithmetic')
        self.assertIn('policy latency: the first choice; predicted: cpu ', face['decisions'][0]['reason'])
        told = self.sluice('explain', self.at('report.json'))
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertIn("node 'face', model 'face', backends cpu: 0 changes", told.stdout)
        self.assertIn('cpu, variant small', told.stdout)
        _, fixed = self.run_pipeline('adaptive', '--set', 'face.policy=fixed', '--frames', '5')
        self.assertIsNone(fixed['inference'][0]['variant'])

    def test_face_detect(self):
        lines, video = self.at('faces.jsonl'), self.at('faces.mp4')
        done, report = self.run_pipeline('face_detect', '--set', f'out.path={lines}', '--set', f'preview.path={video}')
        self.assertEqual(done.stdout, '')
        frames = report['frames']['produced']
        found = self.check_lines(self.read('faces.jsonl'), range(frames), 'camera', 'detections')
        with_face = sum(bool(line['detections']) for line in found)
        self.assertGreaterEqual(with_face, 0.99 * frames)
        self.assertEqual(self.sink(report, 'preview')['delivered'], frames)
        self.assertEqual(self.pictures(video), frames)

    @staticmethod
    def pictures(video):
        """How many pictures ffprobe decodes."""
        command = ['ffprobe', '-v', 'error', '-count_frames', '-select_streams', 'v:0', '-show_entries',
                   'stream=nb_read_frames', '-of', 'csv=p=0', video]
        text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT_S).stdout
        return int(text.strip().strip(','))

    def test_face_preview(self):
        """The slow model holds nobody up: the preview stays fluent, the boxes come at the model's rate."""
        _, report = self.run_pipeline('face_preview', '--duration', '6s')
        preview, boxes = self.sink(report, 'preview'), self.sink(report, 'out')
        self.assertTrue(report['simulated'], 'the fake backend is always labelled')
        self.assertGreater(boxes['dropped'].get('queue_full', 0), 0)
        if PACED:
            self.assertGreaterEqual(preview['fps'], 28.5)
            self.assertLessEqual(preview['fps'], 31.0)
            self.assertGreaterEqual(preview['delivered'], 0.97 * preview['due'])
            self.assertLess(preview['latency_ms']['p50'], 33.0)
            self.assertLessEqual(boxes['fps'], 5.5)
            self.assertGreaterEqual(boxes['fps'], 4.0)

    def test_many_streams(self):
        _, report = self.run_pipeline('many_streams')
        self.assertEqual([source['id'] for source in report['sources']], [f'camera{i}' for i in range(4)])
        for source in report['sources']:
            self.assertGreater(source['produced'], 200)
            self.assertEqual(source['delivered'], source['produced'])
        self.assertEqual(len(report['inference']), 4)


class Steady(Program):
    """A minute of face_preview: what a camera's owner sees when the model is too slow (label slow)."""

    SECONDS = 60

    def resident_mb(self, process):
        with open(f'/proc/{process.pid}/status', encoding='ascii') as status:
            return next(int(line.split()[1]) for line in status if line.startswith('VmRSS:')) / 1024

    def test_a_minute_beside_a_slow_model(self):
        path = self.at('report.json')
        with subprocess.Popen([PROGRAM, 'run', self.shipped('face_preview'), '--duration', f'{self.SECONDS}s', '--quiet',
                               '--report', path], cwd=ROOT) as process:
            self.addCleanup(process.kill)
            sizes = []
            while True:
                try:
                    process.wait(1)
                    break
                except subprocess.TimeoutExpired:
                    sizes.append(self.resident_mb(process))
        self.assertEqual(process.returncode, 0)
        report = json.loads(self.read('report.json'))
        self.check_equations(report)
        preview, boxes = self.sink(report, 'preview'), self.sink(report, 'out')
        self.assertGreater(len(sizes), self.SECONDS // 2)
        early, late = max(sizes[5:15]), max(sizes[-10:])
        self.assertLess(late - early, 1.0, f'memory grows: {early:.1f} MB, then {late:.1f} MB')
        if PACED:
            self.assertGreaterEqual(preview['fps'], 29.5)
            self.assertGreaterEqual(preview['delivered'], 0.98 * preview['due'])
            self.assertGreaterEqual(boxes['fps'], 4.0)


class Accuracy(Program):
    def test_marked_faces_are_found(self):
        """Of libdlib's sample photos the pipeline, as it is shipped, finds every marked face (43 in two lists)."""
        for name, marked in (('testing.xml', 25), ('training.xml', 18)):
            done = self.sluice('eval', self.shipped('face_detect'), '--labels', os.path.join(ROOT, 'data/dlib-faces', name),
                               '--iou', '0.4', '--min-recall', '0.95', '--min-precision', '0.95', '--json')
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            result = json.loads(done.stdout)
            self.assertEqual((result['marked'], result['unanswered']), (marked, 0))

    def test_a_missed_threshold_is_four(self):
        done = self.sluice('eval', self.shipped('face_detect'), '--labels',
                           os.path.join(ROOT, 'data/dlib-faces/testing.xml'), '--iou', '1', '--min-recall', '0.9')
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn('recall is', done.stderr)


class Streams(Program):
    """What happens to results when the world outside does not cooperate."""

    def start_endless(self):
        """face_fast, looped in real time, once its first line has come."""
        # pylint: disable-next=consider-using-with  # the callers wait for it
        process = subprocess.Popen(
            [PROGRAM, 'run', self.shipped('face_fast'), '--pace', 'realtime', '--set', 'camera.loop=true', '--report',
             self.at('report.json')], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        self.addCleanup(process.kill)
        return process, process.stdout.readline()

    def test_an_interrupt_drains(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number=number):
                process, first = self.start_endless()
                process.send_signal(number)
                rest, errors = process.communicate(timeout=TIMEOUT_S)
                self.assertEqual(process.returncode, 0, errors)
                report = json.loads(self.read('report.json'))
                self.assertEqual(report['status'], 'stopped')
                self.check_equations(report)
                lines = [json.loads(line) for line in (first + rest).splitlines()]
                self.assertEqual(len(lines), report['frames']['delivered'])

    def refused_output(self, stdout, words, **more):
        done, report = self.run_pipeline('face_fast', code=1, stdout=stdout, **more)
        self.assertEqual(report['status'], 'failed')
        self.assertIn(f"node 'out': frame 0 of 'camera': cannot write standard output: {words}", done.stderr)
        return done

    def test_a_full_device(self):
        with open('/dev/full', 'w', encoding='utf-8') as full:
            self.refused_output(full, 'No space left on device')

    def test_a_reader_that_went_away(self):
        reading, writing = os.pipe()
        os.close(reading)
        try:
            self.refused_output(writing, 'Broken pipe')
        finally:
            os.close(writing)

    def test_a_closed_stdout_is_nobody_elses_file(self):
        """The lines must not land in a file that was opened later and got stdout's number."""
        video = self.at('faces.mp4')
        done = subprocess.run(['sh', '-c', 'exec "$0" "$@" >&-', PROGRAM, 'run', self.shipped('face_detect'), '--set',
                               f'preview.path={video}'], capture_output=True, text=True, timeout=TIMEOUT_S, cwd=ROOT, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("node 'out': frame 0 of 'camera': cannot write standard output: Bad file descriptor", done.stderr)
        if os.path.exists(video):
            with open(video, 'rb') as source:
                self.assertNotIn(b'"detections"', source.read())

    def test_an_existing_file_is_kept(self):
        kept = self.write('kept.jsonl', 'precious\n')
        done = self.sluice('run', self.shipped('face_fast'), '--set', f'out.path={kept}')
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"node 'out': '{kept}' exists; set overwrite: true to replace it", done.stderr)
        self.assertEqual(self.read('kept.jsonl'), 'precious\n')

    def test_a_missing_video_creates_no_file(self):
        kept, missing = self.write('kept.jsonl', 'precious\n'), self.at('none.mp4')
        done = self.sluice('run', self.shipped('face_fast'), '--set', f'camera.uri={missing}', '--set', f'out.path={kept}',
                           '--set', 'out.overwrite=true')
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"node 'camera': '{missing}': no such file", done.stderr)
        self.assertEqual(self.read('kept.jsonl'), 'precious\n')

    def test_a_video_that_is_cut_off_delivers_what_is_there(self):
        with open(os.path.join(ROOT, 'data/videos/face720.mp4'), 'rb') as source, open(self.at('cut.mp4'), 'wb') as target:
            whole = source.read()
            target.write(whole[:len(whole) // 2])
        done = self.sluice('run', self.shipped('face_fast'), '--set', 'camera.uri=' + self.at('cut.mp4'))
        self.assertEqual(done.returncode, 1)
        self.assertIn("node 'camera': '" + self.at('cut.mp4'), done.stderr)


class Refused(Program):
    """Exit codes 2 and 3, with the place and what is allowed."""

    NODES = ('nodes:\n  - {id: camera, type: video_source, options: {uri: "test:bars"}}\n'
             '  - {id: pre, type: preprocess, inputs: camera, options: {model: face, fit: %s}}\n'
             '  - {id: face, type: infer, inputs: pre, options: {model: face}}\n'
             '  - {id: out, type: null_sink, inputs: face}\n')

    def test_an_invalid_file_is_two_with_all_errors(self):
        path = self.write('bad.yaml', 'version: 1\nnodes:\n  - {id: camera, type: video_source, options: {uri: "test:bars"}}\n'
                          '  - {id: slow, type: rate_limit, inputs: camera, options: {rate_hz: -1}}\n'
                          '  - {id: out, type: json_sinc, inputs: slow}\n')
        for command in ('check', 'plan', 'run'):
            done = self.sluice(command, path)
            self.assertEqual(done.returncode, 2, command)
            self.assertEqual(done.stdout, '')
            self.assertIn(f"{path}:4:", done.stderr)
            self.assertIn("option 'rate_hz' is -1", done.stderr)
            self.assertIn("did you mean 'json_sink'?", done.stderr)

    def test_a_wrong_override_is_two(self):
        done = self.sluice('run', self.shipped('face_fast'), '--set', 'face.model=nope')
        self.assertEqual(done.returncode, 2)
        self.assertIn("option 'model' is 'nope', allowed: face", done.stderr)

    def model_file(self, model, fit='letterbox'):
        return self.write('model.yaml', 'version: 1\nmodels: {face: %s}\n' % model + self.NODES % fit)

    def test_models_that_cannot_be_used_are_three(self):
        front = os.path.join(ROOT, 'data/models/face_detection_front_128x128.onnx')
        broken = self.write('broken.onnx', 'this is no model')
        for model in ('{path: none.onnx}', '{path: %s}' % broken, '{path: %s, sha256: %s}' % (front, 'ab' * 32)):
            path = self.model_file(model)
            done = self.sluice('run', path)
            self.assertEqual(done.returncode, 3, model + done.stderr)
            self.assertIn(path + ':2:', done.stderr)

    def test_a_spelling_comes_before_the_model(self):
        path = self.model_file('{path: none.onnx}', fit='leterbox')
        done = self.sluice('run', path)
        self.assertEqual(done.returncode, 2)
        self.assertIn("option 'fit' is 'leterbox', allowed: stretch, letterbox, crop; did you mean 'letterbox'?", done.stderr)


if __name__ == '__main__':
    if not os.access(PROGRAM, os.X_OK):
        sys.exit(f'error: {PROGRAM} cannot be run: build it, or set SLUICE_PROGRAM')
    unittest.main()
