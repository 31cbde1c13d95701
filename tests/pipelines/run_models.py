#!/usr/bin/env python3
"""`sluice quantize`, `compare` and `compile` with models of a few hundred bytes.

  SLUICE_PROGRAM=build/release/bin/sluice run_models.py [Compare.test_nan ... Minute]
"""
import json
import math

from faults import main
from run_pipelines import Program
from tiny_onnx import matmul_model, npz, scalar_model


class Models(Program):
    def put(self, name, data):
        with open(self.at(name), 'wb') as target:
            target.write(data)
        return self.at(name)

    def run_it(self, *words, code=0):
        done = self.sluice(*words)
        self.assertEqual(done.returncode, code, done.stderr)
        return done


class Compare(Models):
    def test_nan(self):
        """Outputs of which nothing is finite: no numbers, and no threshold holds."""
        model = self.put('tiny.onnx', matmul_model(1))
        data = self.put('nan.npz', npz(x=((2, 1, 1, 4), [math.nan] * 8)))
        words = ('compare', model, '--backend', 'cpu', '--data', data)
        done = self.run_it(*words, '--json')
        self.assertIn("warning: output 'y': 4 values are NaN or infinite", done.stderr)
        self.assertNotIn('error', done.stderr)
        self.assertEqual(json.loads(done.stdout)['outputs'],
                         [{'name': 'y', 'mse': None, 'snr_db': None, 'cosine': None, 'max_abs': None, 'not_finite': 4}])
        self.assertNotIn('200.00', self.run_it(*words).stdout)
        for demand in (('--min-snr', '10'), ('--max-mse', '1')):
            self.assertIn("error: output 'y': 4 values are NaN", self.run_it(*words, *demand, code=4).stderr)

    def test_a_layer_without_dimensions(self):
        model = self.put('scalar.onnx', scalar_model())
        data = self.put('x.npz', npz(x=((2, 1, 4), [1, 2, 3, 4, 5, 6, 7, 8])))
        done = self.run_it('compare', model, '--backend', 'cpu', '--data', data, '--layers', '--json')
        self.assertEqual([layer['name'] for layer in json.loads(done.stdout)['layers']], ['s'])


class Quantize(Models):
    def test_force_replaces_neither_the_model_nor_the_other_result(self):
        model = self.put('tiny.onnx', matmul_model(1))
        data = self.put('x.npz', npz(x=((2, 1, 1, 4), [1, 2, 3, 4, 5, 6, 7, 8])))
        out, before = self.at('out.onnx'), matmul_model(1)
        for words, says in ((('-o', model), '-o and MODEL name the same file'),
                            (('-o', data), '-o and --data name the same file'),
                            (('-o', out, '--write-encodings', out), '-o and --write-encodings name the same file'),
                            (('-o', out, '--write-encodings', model), '--write-encodings and MODEL name the same file')):
            done = self.run_it('quantize', model, '--data', data, '--force', *words, code=2)
            self.assertIn(says, done.stderr)
            with open(model, 'rb') as source:
                self.assertEqual(source.read(), before)
        done = self.run_it('compile', model, '--backend', 'htp', '-o', model, '--force', code=2)
        self.assertIn('-o and MODEL name the same file', done.stderr)

    def test_mistakes_of_an_encodings_file_have_its_name_line_by_line(self):
        model = self.put('tiny.onnx', matmul_model(1))
        data = self.put('x.npz', npz(x=((2, 1, 1, 4), [1, 2, 3, 4, 5, 6, 7, 8])))
        path = self.write('e.json', '{"activation_encodings": {"z": [{}], "x": [{"scale": 0, "offset": 0}]}}')
        done = self.run_it('quantize', model, '--data', data, '-o', self.at('o.onnx'), '--encodings', path, code=2)
        self.assertEqual([line.split(': activation')[0] for line in done.stderr.splitlines()],
                         [f"sluice: error: --encodings '{path}'"] * 2)


class Minute(Models):
    def test_a_scenario_lasts_as_long_as_it_must(self):
        done = self.run_it('profile', self.put('tiny.onnx', matmul_model(1)), '--backend', 'cpu', '--scenario', 'single_stream',
                           '--json')
        profile = json.loads(done.stdout)
        self.assertFalse(profile['shortened'])
        self.assertGreaterEqual(profile['backends'][0]['seconds'], 60)
        self.assertLessEqual(profile['backends'][0]['latency_ms']['p50'], profile['backends'][0]['latency_ms']['p90'])


if __name__ == '__main__':
    main()
