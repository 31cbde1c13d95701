#!/usr/bin/env python3
"""Pipelines on the NPU, here Qualcomm's simulator: its neighbours, its library, contexts and what can be missing.

  SLUICE_PROGRAM=build/release/bin/sluice run_npu.py [Beside Chatter Contexts Faults Accuracy]
"""
import hashlib
import json
import os
import select
import signal
import subprocess
import unittest

from run_pipelines import PACED, PROGRAM, ROOT, TIMEOUT_S, Program, overlap
from tiny_onnx import npz

MODEL = os.path.join(ROOT, 'data/models/face_detection_front_128x128.w8a16.onnx')


class Beside(Program):
    """A model in a lane beside a preview of 30 frames per second."""

    FRAMES = 150
    RATE = 30
    LATE_MS = 100  # what a viewer does not see: three frames
    MOST_LATE = 15  # when a shared machine of two cores is taken away for half a second of the five

    def report_of(self, model='', head=''):
        """The report of a preview of a video at its rate, with more nodes beside it. What comes too late is dropped."""
        path = self.write('beside.yaml', (
            f'version: 1\nname: beside\n{head}nodes:\n'
            f'  - {{id: camera, type: video_source, options: {{uri: {ROOT}/data/videos/face720.mp4, pace: {self.RATE}}}}}\n'
            f'{model}'
            f'  - {{id: fresh, type: drop_stale, inputs: camera, options: {{max_age_ms: {self.LATE_MS}}}}}\n'
            '  - {id: preview, type: null_sink, inputs: fresh}\n'
            'flow: {mode: realtime}\n'))
        done = self.sluice('run', path, '--frames', str(self.FRAMES), '--report', self.at('report.json'))
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(self.read('report.json'))
        self.check_equations(report)
        preview = self.sink(report, 'preview')
        self.assertEqual(preview['due'], self.FRAMES)
        self.assertLessEqual(set(preview['dropped']), {'stale', 'overload'})
        return report

    def keeps_its_rate(self, report):
        """A frame is due every 33 ms: so many that were delivered are that many in time, at the rate of the source."""
        return self.sink(report, 'preview')['delivered'] >= self.FRAMES - self.MOST_LATE

    def test_the_preview_keeps_its_rate(self):
        """The simulator takes three frames' time per run and more than a core: only its own branch drops."""
        report = self.report_of(
            '  - {id: pre, type: preprocess, inputs: camera, options: {model: face, mean: 127.5, std: 127.5}}\n'
            '  - {id: face, type: infer, inputs: pre, options: {model: face, backends: [htp], on_fallback: error}}\n'
            '  - {id: boxes, type: detect, inputs: face, options: {decoder: blazeface}}\n'
            '  - {id: out, type: null_sink, inputs: boxes}\n',
            f'models: {{face: {{path: {MODEL}}}}}\nbackends: {{htp: {{soc: sm8550}}}}\n')
        entry = report['inference'][0]
        self.assertEqual((entry['backend'], entry['simulated']), ('htp', True))
        boxes = self.sink(report, 'out')
        self.assertGreater(boxes['delivered'], 0)
        self.assertLess(boxes['delivered'], self.FRAMES)
        if not PACED or self.keeps_its_rate(report):
            return
        if not self.keeps_its_rate(self.report_of()):
            self.skipTest('others take so much of this machine that a preview alone does not keep its rate')
        self.fail(self.sink(report, 'preview'))


class Chatter(Program):
    """Qualcomm's library prints while it is loaded."""

    LINE = 'LIBNATIVE'

    def run_npu(self, *words, **more):
        done = self.sluice('run', self.shipped('face_fast_htp'), '--frames', '1', *words, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def test_nobody_sees_it_who_does_not_look_for_it(self):
        done = self.run_npu()
        self.assertNotIn(self.LINE, done.stdout + done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 1)
        for command in (('inspect', MODEL), ('doctor',)):
            done = self.sluice(*command)
            self.assertNotIn(self.LINE, done.stdout + done.stderr, command)

    def test_another_release_in_the_search_path_is_not_taken(self):
        """The provider asks for one of its libraries by the bare name."""
        self.write('libQnnSystem.so', 'no library')
        self.run_npu(env={**os.environ, 'LD_LIBRARY_PATH': self.folder, 'SLUICE_ARTIFACTS': 'off'})

    def test_the_log_has_it_at_debug(self):
        done = self.run_npu('--log-level', 'debug', '--log-file', self.at('log'))
        self.assertNotIn(self.LINE, done.stdout)
        lines = [line for line in self.read('log').splitlines() if self.LINE in line]
        self.assertEqual(len(lines), 1, lines)
        self.assertIn('debug', lines[0])


def fields(message):
    """(number, bytes or integer) of each field of a protobuf message."""
    def varint(at):
        value = shift = 0
        while True:
            value |= (message[at] & 0x7f) << shift
            shift, at = shift + 7, at + 1
            if message[at - 1] < 0x80:
                return value, at
    at = 0
    while at < len(message):
        key, at = varint(at)
        value, at = varint(at)
        if key & 7 == 2:
            value, at = message[at:at + value], at + value
        yield key >> 3, value


def context_in(model):
    """The binary in the EPContext node of a model that `sluice compile` wrote."""
    for _, graph in (f for f in fields(model) if f[0] == 7):
        for _, node in (f for f in fields(graph) if f[0] == 1):
            for _, attribute in (f for f in fields(node) if f[0] == 5):
                parts = dict(fields(attribute))
                if parts[1] == b'ep_cache_context':
                    return parts[4]
    raise AssertionError('no EPContext node')


class Contexts(Program):
    """Models that were compiled before, named in a pipeline file."""

    def compiled(self, soc):
        path = self.at(f'{soc}.onnx')
        done = self.sluice('compile', MODEL, '--backend', 'htp', '--soc', soc, '-o', path)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(path, 'rb') as file:
            return file.read()

    def run_on(self, model, soc, *words):
        """face_fast_htp with another model file, as this chip."""
        with open(model, 'rb') as file:
            sha256 = hashlib.sha256(file.read()).hexdigest()
        with open(self.shipped('face_fast_htp'), encoding='utf-8') as file:
            text = file.read().replace('../data/videos', os.path.join(ROOT, 'data/videos'))
        text = text.replace('../data/models/face_detection_front_128x128.w8a16.onnx', f'{model}, sha256: {sha256}')
        pipeline = self.write('pipeline.yaml', text.replace('soc: sm8550', f'soc: {soc}'))
        return self.sluice('run', pipeline, '--frames', '2', *words)

    def test_a_raw_binary_runs_where_it_fits_and_is_refused_elsewhere(self):
        """Also with the hash of the binary itself."""
        binary = self.at('face.bin')
        with open(binary, 'wb') as file:
            file.write(context_in(self.compiled('sm8550')))
        done = self.run_on(binary, 'sm8550')
        self.assertEqual(done.returncode, 0, done.stderr)
        expected = self.sluice('run', self.shipped('face_fast_htp'), '--frames', '2')
        for line, wanted in zip(done.stdout.splitlines(), expected.stdout.splitlines(), strict=True):
            found, wanted = json.loads(line)['detections'], json.loads(wanted)['detections']
            self.assertEqual(len(found), len(wanted))
            for a, b in zip(found, wanted):
                self.assertGreater(overlap(a['box'], b['box']), 0.95)
        refused = self.run_on(binary, 'qcs6490')
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn('was compiled for SoC 43 (sm8550), v73, this is SoC 35 (qcs6490), v68', refused.stderr)

    def test_a_compiled_model_for_another_chip_is_exit_3(self):
        self.compiled('qcs6490')
        refused = self.run_on(self.at('qcs6490.onnx'), 'sm8550')
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn('was compiled for SoC 35 (qcs6490)', refused.stderr)

    def test_a_compiled_model_runs_on_no_other_backend(self):
        self.compiled('sm8550')
        model = self.at('sm8550.onnx')
        for backend in ('cpu', 'gpu'):
            refused = self.run_on(model, 'sm8550', '--set', f'face.backends=[{backend}]')
            self.assertEqual(refused.returncode, 3, refused.stderr)
            self.assertIn("is compiled for backend 'htp' (EPContext) and runs on no other; use it there, or the ONNX model "
                          'that it was compiled from', refused.stderr)
        done = self.run_on(model, 'sm8550', '--set', 'face.backends=[cpu, htp]', '--set', 'face.on_fallback=warn')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count("is compiled for backend 'htp'"), 1, done.stderr)

    def test_a_damaged_binary_is_exit_3(self):
        whole = context_in(self.compiled('sm8550'))
        for name, damaged in (('cut', whole[:len(whole) // 2]), ('noise', b'x' * 5000)):
            with open(self.at(f'{name}.bin'), 'wb') as file:
                file.write(damaged)
            refused = self.run_on(self.at(f'{name}.bin'), 'sm8550')
            self.assertEqual(refused.returncode, 3, refused.stderr)
            self.assertIn(f'{name}.bin', refused.stderr)


class Precision(Program):
    """It concerns float models; integers come from the file."""

    FLOAT = MODEL.replace('.w8a16', '')

    def check(self, backends, more='', variants=''):
        """(exit code, what `check` says) of a node on htp that runs the quantised model, with more nodes."""
        path = self.write('precision.yaml', (
            f'version: 1\nmodels:\n  face: {{path: {MODEL}{variants}}}\n  other: {{path: {self.FLOAT}}}\n'
            f'backends: {{htp: {backends}}}\nnodes:\n'
            '  - {id: camera, type: video_source, options: {uri: "test:bars"}}\n'
            '  - {id: pre, type: preprocess, inputs: camera, options: {model: face}}\n'
            f'  - {{id: face, type: infer, inputs: pre, options: {{model: face, backends: [htp]{more}}}}}\n'
            '  - {id: boxes, type: detect, inputs: face, options: {decoder: blazeface}}\n'
            '  - {id: out, type: null_sink, inputs: boxes}\n'
            '  - {id: pre2, type: preprocess, inputs: camera, options: {model: other}}\n'
            '  - {id: face2, type: infer, inputs: pre2, options: {model: other, backends: [cpu]}}\n'
            '  - {id: out2, type: null_sink, inputs: face2}\n'))
        done = self.sluice('check', path)
        return done.returncode, done.stderr.replace(path, 'FILE')

    def test_a_quantised_model_has_none_to_choose(self):
        self.assertEqual(self.check('{}', ', htp: {precision: fp16}'),
                         (2, "FILE:9:99: error: node 'face': option 'htp.precision' is 'fp16' and concerns float models, "
                             "but model 'face' is quantised; leave it out\n"))
        self.assertEqual(self.check('{fp16_clamp: true}'),
                         (2, "FILE:5:30: error: backends: key 'htp.fp16_clamp' is 'true' and concerns float models, but all "
                             'models that run on htp are quantised; leave it out\n'))

    def test_a_float_variant_or_another_model_has(self):
        self.assertEqual(self.check('{precision: fp16}', variants=f', variants: {{float: {self.FLOAT}}}'), (0, ''))
        with open(self.at('precision.yaml'), encoding='utf-8') as file:
            text = file.read().replace(', variants: {float: ' + self.FLOAT + '}', '').replace('[cpu]', '[htp]')
        path = self.write('two.yaml', text)
        self.assertEqual(self.sluice('check', path).returncode, 0)
        done = self.sluice('run', path, '--frames', '1')
        self.assertEqual(done.returncode, 0, done.stderr)


class Faults(Program):
    """What is missing, and what happens at the same time."""

    LIBRARIES = ('libonnxruntime_providers_qnn.so', 'libQnnHtp.so', 'libQnnSystem.so')

    def test_a_missing_library_is_named(self):
        """By the run, with exit 3, and by doctor; under `warn` the next backend goes on."""
        whole = os.path.join(os.environ.get('SLUICE_CACHE', os.path.expanduser('~/.cache/sluice')), 'qnn/onnxruntime_qnn')
        for number, missing in enumerate(self.LIBRARIES):
            with self.subTest(missing=missing):
                folder = self.at(f'without_{number}')
                os.mkdir(folder)
                for name in self.LIBRARIES:
                    if name != missing:
                        os.symlink(os.path.join(whole, name), os.path.join(folder, name))
                environment = {**os.environ, 'SLUICE_QNN': folder}
                refused = self.sluice('run', self.shipped('face_fast_htp'), '--frames', '1', env=environment)
                self.assertEqual(refused.returncode, 3, refused.stderr)
                self.assertIn(missing, refused.stderr)
                self.assertIn(f'    {missing}: missing: ', self.sluice('doctor', env=environment).stdout)
                words = ('--set', 'face.backends=[htp, cpu]', '--set', 'face.on_fallback=warn', '--frames', '1')
                done = self.sluice('run', self.shipped('face_fast_htp'), *words, env=environment)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(done.stderr.count(missing), 1, done.stderr)

    def test_signals_in_the_middle_of_runs(self):
        """One drains and takes the session down before its library; two end the program under a run."""
        for number, code in ((1, 0), (2, 130)):
            with subprocess.Popen([PROGRAM, 'run', self.shipped('face_fast_htp')], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
                self.assertIn('"frame": 0', process.stdout.readline())
                process.send_signal(signal.SIGTERM)
                while number == 2 and process.poll() is None:  # those of the first moment count as one
                    process.send_signal(signal.SIGINT)
                    select.select([], [], [], 0.05)
                self.assertEqual((process.communicate(timeout=TIMEOUT_S)[1].count('error'), process.returncode), (0, code))

    def test_runs_that_were_given_up_do_no_harm_at_the_end(self):
        """They are still in Qualcomm's library when the program ends, which crashed it two times in five."""
        for _ in range(5):
            done = self.sluice('run', self.shipped('face_fast_htp'), '--frames', '2', '--set', 'face.htp.run_timeout_ms=2',
                               '--report', self.at('report.json'))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(self.read('report.json'))['frames']['dropped'], {'timeout': 2})

    def test_a_profile_that_cannot_be_written_is_named(self):
        """The provider opens it itself, when the session is made."""
        done = self.sluice('run', self.shipped('face_fast_htp'), '--frames', '1', '--set', 'face.htp.profiling=basic',
                           '--set', f"face.htp.profiling_path={self.at('none/x.csv')}")
        self.assertEqual((done.returncode, done.stdout), (3, ''), done.stderr)
        self.assertIn(f"Failed to open profiling file: {self.at('none/x.csv')}", done.stderr)

    def test_two_processes_compile_one_model_at_once(self):
        """Both compute the same; the entry that is left is loaded by the next process, not made again."""
        environment = {**os.environ, 'SLUICE_ARTIFACTS': self.at('artifacts')}
        command = [PROGRAM, 'run', self.shipped('face_fast_htp'), '--frames', '2']
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
                                 env=environment) for _ in range(2)]
        results = [process.communicate(timeout=TIMEOUT_S) for process in both]
        self.assertEqual([process.returncode for process in both], [0, 0], results)
        self.assertEqual(results[0][0], results[1][0])
        entries = {entry.name: entry.stat().st_mtime_ns for entry in os.scandir(self.at('artifacts'))}
        self.assertEqual(len(entries), 1, entries)
        third = self.sluice(*command[1:], env=environment)
        self.assertEqual(third.stdout, results[0][0])
        self.assertNotIn('warning', third.stderr)
        self.assertEqual({e.name: e.stat().st_mtime_ns for e in os.scandir(self.at('artifacts'))}, entries)


class Accuracy(Program):
    """What the NPU computes wrong without an error."""

    def test_compare_finds_the_model_that_half_precision_breaks(self):
        """PP-OCR's recognition in fp16: every output row is uniform, and nobody says so."""
        with open(self.at('x.npz'), 'wb') as data:
            data.write(npz(x=((1, 3, 48, 320), [(i * 7919 % 255) / 127.5 - 1 for i in range(3 * 48 * 320)])))
        done = self.sluice('compare', os.path.join(ROOT, 'data/ocr-models/ch_PP-OCRv4_rec_infer.onnx'), '--shape', 'x=1x3x48x320',
                           '--backend', 'htp', '--data', self.at('x.npz'), '--min-snr', '10', '--json')
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertRegex(done.stderr, r"error: output '\S+': SNR is \S+ dB, demanded: at least 10")
        self.assertLess(json.loads(done.stdout)['outputs'][0]['snr_db'], 1)


if __name__ == '__main__':
    unittest.main()
