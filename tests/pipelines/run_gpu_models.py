#!/usr/bin/env python3
"""Models on the OpenCL device, by the program: what stays with the CPU, float16, tuned kernels.

  SLUICE_PROGRAM=build/release/bin/sluice run_gpu_models.py [GpuModels.test_...]
"""
import json
import os
import random

from faults import main
from run_models import Models
from run_pipelines import ROOT
from tiny_onnx import external_model, matmul_model, npz, unary_model

FACE = os.path.join(ROOT, 'data/models/face_detection_front_128x128.onnx')


class GpuModels(Models):
    def test_what_stays_with_the_cpu_is_reported(self):
        """`inspect` and the report count it, the warning names node, operator and reason, `error` refuses it."""
        model = self.put('mixed.onnx', unary_model('Relu', 'Sign', 'Abs'))
        self.assertIn('gpu: 2 of 3 operators, 1 on cpu', self.run_it('inspect', model).stdout)
        path = self.write('mixed.yaml', 'version: 1\nmodels: {m: {path: %s}}\nnodes:\n'
                          '  - {id: cam, type: video_source, options: {uri: "test:bars", width: 64, height: 64}}\n'
                          '  - {id: pre, type: preprocess, inputs: cam, options: {model: m, color: gray}}\n'
                          '  - {id: run, type: infer, inputs: pre, options: {model: m, backends: [gpu]}}\n'
                          '  - {id: out, type: null_sink, inputs: run}\n' % model)
        done = self.run_it('run', path, '--frames', '2', '--report', self.at('report.json'))
        entry = json.loads(self.read('report.json'))['inference'][0]
        self.assertEqual(entry['operators'], {'total': 3, 'on_backend': 2, 'elsewhere': {'cpu': 1}})
        reason = "node 'Sign' (Sign) is no operator of this backend"
        self.assertTrue(any(reason in text for text in entry['warnings']), entry['warnings'])
        self.assertIn(reason, done.stderr)
        refused = self.sluice('run', path, '--frames', '2', '--set', 'run.on_fallback=error')
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn(reason, refused.stderr)

    def snr(self, *words, code=0):
        done = self.run_it('compare', FACE, '--backend', 'gpu', '--data', self.at('x.npz'), '--json', *words, code=code)
        return min(output['snr_db'] for output in json.loads(done.stdout)['outputs'])

    def test_compare_tells_how_exact_float16_is(self):
        numbers = random.Random(3)
        self.put('x.npz', npz(**{'input:0': ((1, 1, 128, 128, 3), [numbers.uniform(-1, 1) for _ in range(128 * 128 * 3)])}))
        exact = self.snr('--precision', 'fp32', '--min-snr', '90')
        half = self.snr('--precision', 'fp16', '--min-snr', '35')
        self.assertLess(half, exact - 20)
        self.snr('--precision', 'fp16', '--min-snr', '90', code=4)
        refused = self.run_it('compare', FACE, '--backend', 'cpu', '--data', self.at('x.npz'), '--precision', 'fp16', code=2)
        self.assertIn("--precision is 'fp16', but backend 'cpu' computes every model in its own", refused.stderr)

    def test_compare_says_what_the_gpu_leaves_to_the_cpu(self):
        """Some operators: a warning and numbers. None: it would compare the cpu with itself."""
        self.put('x.npz', npz(x=((1, 1, 1, 4, 4), range(16))))
        words = ('--backend', 'gpu', '--data', self.at('x.npz'), '--json')
        done = self.run_it('compare', self.put('mixed.onnx', unary_model('Relu', 'Sign', 'Abs')), *words)
        self.assertEqual(json.loads(done.stdout)['operators'], {'total': 3, 'on_backend': 2, 'elsewhere': {'cpu': 1}})
        self.assertIn("warning: backend 'gpu' takes 2 of 3 operators of ", done.stderr)
        self.assertIn("node 'Sign' (Sign) is no operator of this backend", done.stderr)
        refused = self.run_it('compare', self.put('none.onnx', unary_model('Sign')), *words, code=3)
        self.assertIn("backend 'gpu' takes none of the 1 operators", refused.stderr)

    def test_tuned_kernels_are_kept_for_later_runs(self):
        """Both kernel sets are built while measuring; nothing is built after it."""
        model = self.put('tiny.onnx', unary_model('Relu', 'Abs'))
        kept = {}
        for name, words in (('plain', ()), ('tuned', ('--tune',))):
            environment = {**os.environ, 'SLUICE_ARTIFACTS': self.at(name)}
            done = self.sluice('compile', model, '--backend', 'gpu', *words, '-o', self.at(name + '.onnx'), env=environment)
            self.assertEqual(done.returncode, 0, done.stderr)
            kept[name] = sorted(os.listdir(self.at(name)))
        self.assertGreater(len(kept['tuned']), 2 * len(kept['plain']) - 1)
        self.put('x.npz', npz(x=((1, 1, 1, 4, 4), range(16))))
        done = self.sluice('compare', model, '--backend', 'gpu', '--data', self.at('x.npz'), '--max-mse', '0',
                           env={**os.environ, 'SLUICE_ARTIFACTS': self.at('tuned')})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(os.listdir(self.at('tuned'))), kept['tuned'])

    def test_weights_beside_a_model_go_with_what_is_compiled(self):
        model = self.put('outside.onnx', external_model('w.bin'))
        self.put('w.bin', bytes(16))
        os.mkdir(self.at('there'))
        words = ('compile', model, '--backend', 'gpu', '-o', self.at('there/c.onnx'))
        self.assertIn("the model's weights are in '" + self.at('there/w.bin') + "'", self.run_it(*words).stderr)
        self.assertIn('gpu: 1 of 1 operators', self.run_it('inspect', self.at('there/c.onnx')).stdout)
        os.remove(self.at('there/c.onnx'))
        refused = self.run_it(*words, code=1)
        self.assertIn("there/w.bin', which exists; use --force to replace it", refused.stderr)
        self.assertFalse(os.path.exists(self.at('there/c.onnx')))
        self.run_it(*words, '--force')

    def test_a_shape_fixes_what_the_file_leaves_open(self):
        """`compile` and `inspect` say what to write, and take it as `profile` and `compare` do."""
        model = self.put('open.onnx', matmul_model('N'))
        environment = {**os.environ, 'SLUICE_ARTIFACTS': self.at('artifacts')}
        words = ('compile', model, '--backend', 'gpu', '-o', self.at('out.onnx'))
        refused = self.sluice(*words, env=environment)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn('give --shape INPUT=DIMS', refused.stderr)
        for shape, says in (('z=1x3x4', "--shape names 'z'"), ('x=1x3x5', 'the model fixes it at 4')):
            refused = self.sluice(*words, '--shape', shape, env=environment)
            self.assertEqual(refused.returncode, 2, refused.stderr)
            self.assertIn(says, refused.stderr)
            self.assertIn(says, self.run_it('inspect', model, '--shape', shape, code=2).stderr)
        done = self.sluice(*words, '--shape', 'x=1x3x4', env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(os.listdir(self.at('artifacts')))
        self.assertNotIn('gpu: 1 of 1 operators', self.run_it('inspect', model).stdout)
        known = self.run_it('inspect', model, '--shape', 'x=1x3x4').stdout
        self.assertIn('gpu: 1 of 1 operators', known)
        self.assertIn(' 24 multiply-accumulates', known)

    def test_a_dimension_without_a_name_is_fixed_by_its_place(self):
        """The free batch gathers beside it."""
        model = self.put('nameless.onnx', unary_model('Relu', dims=('', 1, '', 4)))
        self.assertIn('gpu: 1 of 1 operators', self.run_it('inspect', model, '--shape', 'x=1x1x6x4').stdout)
        path = self.write('nameless.yaml', 'version: 1\nmodels: {m: {path: %s, dims: {x.2: 6, y.2: 6}}}\nnodes:\n'
                          '  - {id: cam, type: video_source, options: {uri: "test:bars", width: 64, height: 64}}\n'
                          '  - {id: pre, type: preprocess, inputs: cam, options: {model: m, color: gray}}\n'
                          '  - {id: run, type: infer, inputs: pre, options: {model: m, backends: [gpu], on_fallback: error, '
                          'batch: {max: 3, wait_ms: 5}}}\n'
                          '  - {id: out, type: null_sink, inputs: run}\n' % model)
        self.run_it('run', path, '--frames', '7')

    def test_a_shape_gives_a_name_one_size(self):
        model = self.put('square.onnx', unary_model('Relu', dims=(1, 1, 'N', 'N')))
        refused = self.run_it('inspect', model, '--shape', 'x=1x1x4x5', code=2)
        self.assertIn("--shape gives 'N' two sizes, 4 and 5 (dimension 3 of 'x')", refused.stderr)
        self.assertIn('gpu: 1 of 1 operators', self.run_it('inspect', model, '--shape', 'x=1x1x4x4').stdout)


if __name__ == '__main__':
    main()
