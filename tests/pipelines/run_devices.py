#!/usr/bin/env python3
"""Pipelines on an OpenCL device that is missing or fails, integers for the NPU, and recordings of a device.

  SLUICE_PROGRAM=build/release/bin/sluice SLUICE_FAKE_OPENCL_LIBRARY=... run_devices.py [OpenCl ...]
"""
import json
import os
import unittest

from run_pipelines import ROOT, Program


class OpenCl(Program):
    """An OpenCL device that is not there, or does not do what it is asked for."""

    def test_without_an_opencl_driver_the_cpu_goes_on(self):
        """`doctor` says why, `warn` goes to the next backend, `error` is exit 3."""
        nowhere = {**os.environ, 'SLUICE_OPENCL': self.at('none.so')}
        why = 'OpenCL cannot be loaded'
        self.assertIn(why, self.sluice('doctor', env=nowhere).stdout)
        refused = self.sluice('run', self.shipped('face_fast_gpu'), '--frames', '1', env=nowhere)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn(why, refused.stderr)
        words = ('--frames', '3', '--set', 'face.backends=[gpu, cpu]', '--set', 'face.on_fallback=warn')
        done, report = self.run_pipeline('face_fast_gpu', *words, env=nowhere)
        self.assertEqual(report['inference'][0]['backend'], 'cpu')
        self.assertEqual(done.stderr.count(why), 1, done.stderr)
        refused = self.sluice('run', self.shipped('face_fast'), '--frames', '1', '--set', 'pre.device=gpu', env=nowhere)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertRegex(refused.stderr, f"node 'pre'.*option 'device' is 'gpu'.*{why}")

    def test_pictures_prepared_on_the_gpu_give_the_faces_of_the_cpu(self):
        """`preprocess` and `infer` both on the OpenCL device; `plan` says where; the device that `backends` names is taken."""
        words = ('--set', 'pre.device=gpu', '--frames', '30')
        done, _ = self.run_pipeline('face_fast_gpu', *words)
        lines = self.check_lines(done.stdout, range(30), 'camera', 'detections')
        chosen = self.run_pipeline('face_fast_gpu', '--frames', '30')[0].stdout
        self.assertEqual(done.stdout, chosen, 'auto is the gpu there')
        cpu = self.run_pipeline('face_fast_gpu', '--set', 'pre.device=cpu', '--frames', '30')[0].stdout
        self.assertNotEqual(cpu, chosen)
        for ours, theirs in zip(lines, self.check_lines(cpu, range(30), 'camera', 'detections')):
            self.assertEqual(len(ours['detections']), len(theirs['detections']))
            for a, b in zip(ours['detections'], theirs['detections']):
                self.assertAlmostEqual(a['score'], b['score'], delta=5e-3)
                for p, q in zip(a['box'], b['box']):
                    self.assertAlmostEqual(p, q, delta=1)
        plan = self.sluice('plan', self.shipped('face_fast_gpu'), *words[:2]).stdout
        self.assertIn('pre: preprocess, own thread, on the gpu (device: gpu)', plan)
        chosen = self.sluice('plan', self.shipped('face_fast_gpu')).stdout
        self.assertIn('pre: preprocess, own thread, on the gpu (device: auto)', chosen)
        self.assertIn("node 'pre' works on the gpu: node 'face' reads its output there", chosen)
        self.assertIn('pre: preprocess, worker thread, on the cpu (device: auto)',
                      self.sluice('plan', self.shipped('face_fast_gpu'), '--set', 'face.backends=[cpu]').stdout)
        with open(self.shipped('face_fast_gpu'), encoding='utf-8') as source:
            text = source.read().replace('../data', os.path.join(ROOT, 'data')).replace('gpu: {device: auto, precision: fp32}', '')
        path = self.write('named.yaml', text + 'backends: {gpu: {device: adreno 9999}}\n')
        refused = self.sluice('run', path, *words, '--set', 'face.backends=[cpu]')
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("node 'pre'", refused.stderr)
        self.assertIn("no OpenCL device is called 'adreno 9999'", refused.stderr)

    def fake_opencl(self, fault, *words):
        """Three frames on [gpu, cpu] over a libOpenCL that computes nothing and has this fault."""
        environment = {**os.environ, 'SLUICE_OPENCL': os.environ['SLUICE_FAKE_OPENCL_LIBRARY'],
                       'SLUICE_FAKE_OPENCL': fault, 'SLUICE_ARTIFACTS': self.at('artifacts')}
        return self.run_pipeline('face_fast_gpu', '--frames', '3', '--set', 'face.backends=[gpu, cpu]',
                                 '--set', 'face.on_fallback=warn', *words, env=environment)

    def test_whatever_opencl_call_fails_the_cpu_goes_on(self):
        """At opening or in a run, whatever is answered: no frame is lost, the cpu delivers, one warning says why."""
        out_of_memory, lost, wrong = -4, -2, -30
        faults = [('clGetPlatformIDs', -1001), ('clGetDeviceIDs', -1), ('clCreateContext', lost),
                  ('clCreateCommandQueue', -6), ('clCreateBuffer', out_of_memory), ('clCreateSubBuffer', out_of_memory),
                  ('clCreateProgramWithSource', -6), ('clBuildProgram', -11), ('clCreateKernel', -5),
                  ('clSetKernelArg', wrong), ('clEnqueueWriteBuffer', lost), ('clEnqueueNDRangeKernel', lost),
                  ('clEnqueueReadBuffer', -36)]
        for function, error in faults:
            with self.subTest(function=function, error=error):
                done, report = self.fake_opencl(f'{function}:1:{error}')
                entry = report['inference'][0]
                self.assertEqual(entry['backend'], 'cpu')
                self.assertEqual(len(done.stdout.splitlines()), 3)
                self.assertEqual(report['frames']['delivered'], 3)
                said = [line for line in done.stderr.splitlines() if "node 'face'" in line and "backend 'gpu'" in line]
                self.assertEqual(len(said), 1, done.stderr)
                self.assertTrue(any("backend 'gpu'" in text for text in entry['warnings']), entry['warnings'])

    def test_runs_that_fail_for_memory_cost_frames_and_then_the_cpu_goes_on(self):
        """At the third failure in a row at the latest the frame goes to the cpu: those before it are counted as failed."""
        done, report = self.fake_opencl('clEnqueueNDRangeKernel:1:-5')
        self.assertEqual(report['inference'][0]['backend'], 'cpu')
        self.assertIn(report['frames']['dropped'], ({'failed': 1}, {'failed': 2}))
        self.assertIn('out of memory or resources', done.stderr)

    def test_a_build_failure_shows_the_compilers_words(self):
        done, _ = self.fake_opencl('clBuildProgram:1:-11')
        self.assertIn('the compiler says: conv.cl:7: nothing is right here', done.stderr)

    def test_a_lost_gpu_is_opened_again(self):
        """The frame that lost it is run again; all three come from the gpu."""
        done, report = self.fake_opencl('clEnqueueNDRangeKernel:60:-2:once')
        self.assertEqual(report['inference'][0]['backend'], 'gpu')
        self.assertEqual(report['frames']['delivered'], 3)
        self.assertEqual(done.stderr.count('loaded again'), 1, done.stderr)

    def test_kernels_for_the_gpu_are_compiled_ahead_of_time(self):
        """They go to the artefact cache; what is written is the model, and a second run compiles nothing new."""
        model = os.path.join(ROOT, 'data/models/face_detection_front_128x128.onnx')
        environment = {**os.environ, 'SLUICE_ARTIFACTS': self.at('artifacts')}
        done = self.sluice('compile', model, '--backend', 'gpu', '-o', self.at('out.onnx'), env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(model, 'rb') as wanted, open(self.at('out.onnx'), 'rb') as got:
            self.assertEqual(got.read(), wanted.read())
        kept = sorted(os.listdir(self.at('artifacts')))
        self.assertTrue(kept)
        self.run_pipeline('face_fast_gpu', '--frames', '1', env=environment)
        self.assertEqual(sorted(os.listdir(self.at('artifacts'))), kept)
        refused = self.sluice('compile', model, '--backend', 'cpu', '--tune', '-o', self.at('other.onnx'))
        self.assertEqual(refused.returncode, 2)
        self.assertIn("--tune measures kernels of backend 'gpu'", refused.stderr)

    def test_nothing_is_compiled_for_a_cache_that_cannot_keep_it(self):
        """Off, or no folder: an error before minutes of measuring, and no file that looks like a result."""
        model = os.path.join(ROOT, 'data/models/face_detection_front_128x128.onnx')
        with open(self.at('no_folder'), 'w', encoding='utf-8'):
            pass
        for cache, why in (('off', 'the artefact cache is off'), (self.at('no_folder'), 'symbolic link or no folder')):
            with self.subTest(cache=cache):
                done = self.sluice('compile', model, '--backend', 'gpu', '--tune', '-o', self.at('kept.onnx'),
                                   env={**os.environ, 'SLUICE_ARTIFACTS': cache})
                self.assertEqual(done.returncode, 3, done.stderr)
                self.assertIn(why, done.stderr)
                self.assertIn('kept nowhere', done.stderr)
                self.assertFalse(os.path.exists(self.at('kept.onnx')))


class Unfolded(Program):
    """Conversions as nodes of their own, for the integer model of the NPU's pipeline."""

    UNFOLDED = (
        'version: 1\nmodels: {face: {path: %s}}\nnodes:\n'
        '  - {id: camera, type: video_source, options: {uri: %s}}\n'
        '  - {id: pre, type: preprocess, inputs: camera, options: {width: 128, height: 128, layout: nhwc, '
        'fit: letterbox, mean: 127.5, std: 127.5}}\n'
        '  - {id: integers, type: quantize, inputs: pre}\n'
        '  - {id: face, type: infer, inputs: integers, options: {model: face}}\n'
        '%s'
        '  - {id: boxes, type: detect, inputs: {tensors: {"Identity:0": r0, "Identity_1:0": r1, "Identity_2:0": r2, '
        '"Identity_3:0": r3}}, options: {decoder: blazeface, min_score: 0.7, labels: [face]}}\n'
        '  - {id: out, type: json_sink, inputs: boxes, options: {path: "-"}}\n')

    def test_face_fast_htp_unfolded(self):
        """quantize and dequantize as nodes of their own find what the folded ones find, but for roundings."""
        data = os.path.join(ROOT, 'data')
        names = ('Identity:0', 'Identity_1:0', 'Identity_2:0', 'Identity_3:0')
        back = ''.join(f'  - {{id: r{i}, type: dequantize, inputs: "face.{name}"}}\n' for i, name in enumerate(names))
        path = self.write('unfolded.yaml', self.UNFOLDED % (
            data + '/models/face_detection_front_128x128.w8a16.onnx', data + '/videos/face720.mp4', back))
        plan = self.sluice('plan', path)
        self.assertEqual(plan.returncode, 0, plan.stderr)
        self.assertNotIn('folded in', plan.stdout)
        done = self.sluice('run', path, '--frames', '20', '--quiet')
        self.assertEqual(done.returncode, 0, done.stderr)
        folded, _, _ = self.faces_of('--set', 'face.backends=[cpu]')
        for line, other in zip(self.check_lines(done.stdout, range(20), 'camera', 'detections'), folded):
            face = line['detections'][0]
            self.assertLessEqual(abs(face['score'] - other['score']), 0.0005)
            self.assertLessEqual(max(abs(a - b) for a, b in zip(face['box'], other['box'])), 0.1)  # of 1280 pixels


class Telemetry(Program):
    def heat_is(self, known, source):
        path = self.write('heat.yaml', 'version: 1\nmodels: {face: {path: %s}}\ndevice: {telemetry: %s, profile: qcs6490}\n'
                          'nodes:\n  - {id: cam, type: video_source, options: {uri: "test:bars"}}\n'
                          '  - {id: pre, type: preprocess, inputs: cam, options: {model: face}}\n'
                          '  - {id: face, type: infer, inputs: pre, options: {model: face, policy: sustained}}\n'
                          '  - {id: out, type: null_sink, inputs: face}\n'
                          % (os.path.join(ROOT, 'data/models/face_detection_front_128x128.onnx'), source))
        done = self.sluice('run', path, '--frames', '5')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual("policy 'sustained' needs temperatures" not in done.stderr, known, done.stderr)

    def test_the_selector_reads_what_the_file_names(self):
        self.heat_is(True, 'simulated')
        self.heat_is(False, 'none')


class Recording(Program):
    def test_record_and_fit(self):
        """Recorded runs of a simulated device become a profile, on which a pipeline runs."""
        traces = []
        for name, words in (('npu', ('--pace', 'max')),
                            ('cpu', ('--pace', 'max', '--set', 'near.backends=[cpu]', '--set', 'far.backends=[cpu]')),
                            ('light', ('--pace', '5'))):
            _, report = self.run_pipeline('thermal_two_models', '--device', 'sim:qcs6490', '--set', 'camera.loop=true',
                                          '--duration', '20m', '--record', self.at(name), *words)
            self.assertEqual(json.loads(self.read(name + '/report.json'))['frames'], report['frames'])
            traces.append(self.at(name if name == 'npu' else name + '/readings.jsonl'))  # a folder is its readings
        again = self.sluice('run', self.shipped('hello'), '--frames', '1', '--record', self.at('npu'))
        self.assertEqual(again.returncode, 1)
        self.assertIn("readings.jsonl' exists; --force replaces it", again.stderr)
        fitted = self.sluice('fit', *traces, '-o', self.at('board.yaml'), '--base', 'qcs6490', '--ambient', '25')
        self.assertEqual(fitted.returncode, 0, fitted.stderr)
        self.assertIn('case to ambient', fitted.stdout)
        self.assertIn('label: F', self.read('board.yaml'))
        self.run_pipeline('face_fast', '--device', 'sim:' + self.at('board.yaml'), '--frames', '50')
        refused = self.sluice('fit', *traces, '-o', self.at('board.yaml'))
        self.assertIn('exists; --force replaces it', refused.stderr)

    @staticmethod
    def trace_at(ambient_c):
        """What sensors say of a die of 2 J/K on a case of 40 J/K, under work and pauses of a minute, as lines."""
        die = case = ambient_c + 3.5
        lines = []
        for second in range(1, 901):
            load = (0.2, 0.9, 0.5)[second // 60 % 3]
            for _ in range(4):
                to_case, away = (die - case) / 6, (case - ambient_c) / 5
                die += (3 * load - to_case) / 2 / 4
                case += (0.7 + to_case - away) / 40 / 4
            lines.append(json.dumps({'t_s': second, 'temperature_c': {'npu': round(die, 2), 'skin': round(case, 2)},
                                     'utilisation': {'npu': load}, 'power_w': 0.7 + 3 * load}) + '\n')
        return ''.join(lines)

    def test_no_profile_is_written_that_a_run_would_refuse(self):
        cold = self.sluice('fit', self.write('cold.jsonl', self.trace_at(-53)), '-o', self.at('board.yaml'))
        self.assertEqual(cold.returncode, 2, cold.stdout)
        self.assertRegex(cold.stderr, "no profile is written.*'ambient_c' is -5[0-9.]*, must be -50 to 100.*--ambient")
        self.assertFalse(os.path.exists(self.at('board.yaml')))
        room = self.sluice('fit', self.write('room.jsonl', self.trace_at(20)), '-o', self.at('board.yaml'))
        self.assertEqual(room.returncode, 0, room.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2)
