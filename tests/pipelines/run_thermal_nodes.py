#!/usr/bin/env python3
"""`sluice thermal` and the nodes of the file: backends that are simulated, sinks that write.

  SLUICE_PROGRAM=build/release/bin/sluice run_thermal_nodes.py [Labels ...]
"""
import json
import os
import unittest

from run_pipelines import ROOT, Program


class Labels(Program):
    """What ran on no hardware is said, also when another backend ran after it."""

    def test_a_backend_that_was_left_is_the_simulated_one(self):
        path = self.write('left.yaml', f'''version: 1
name: left
models:
  face: {{path: {ROOT}/data/models/face_detection_front_128x128.onnx}}
nodes:
  - {{id: camera, type: video_source, options: {{uri: 'test:bars', width: 64, height: 64, pace: 30}}}}
  - {{id: pre, type: preprocess, inputs: camera, options: {{model: face, mean: 127.5, std: 127.5}}}}
  - {{id: face, type: infer, inputs: pre, options: {{model: face, backends: [fake, cpu], fake: {{latency_ms: 3, fail_at: [5]}}}}}}
  - {{id: out, type: null_sink, inputs: face}}
''')
        done = self.sluice('thermal', path, '--duration', '2s', '--cool-down', '0', '--recovery', '0', '--json', self.at('result.json'))
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(self.read('result.json'))
        run = result['runs'][0]
        self.assertEqual((result['simulated'], result['device'], run['simulated_backends']), (True, 'real', ['fake']))
        self.assertIn("node 'face': backend 'fake' is simulated", run['notices'])
        self.assertNotIn("node 'face': backend 'cpu' is simulated", run['notices'])
        self.assertEqual((run['windows'][-1]['backend']['face'], run['switches']), ('cpu', 1))
        told = self.sluice('explain', self.at('result.json')).stdout
        self.assertRegex(told, r'(?s)^simulated: .* 0\.0 s  face on fake\n.*face on cpu')
        done = self.sluice('run', path, '--frames', '20', '--report', self.at('report.json'))
        self.assertEqual(done.returncode, 0, done.stderr)
        entry = json.loads(self.read('report.json'))['inference'][0]
        self.assertEqual((entry['backend'], entry['simulated'], entry['simulated_backends']), ('cpu', True, ['fake']))


class Sinks(Program):
    """What sinks write has its place, or the test is refused before anything runs."""

    def camera(self, sink):
        return self.write('camera.yaml', 'version: 1\nnodes:\n'
                          "- {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64, pace: 30}}\n"
                          f'- {{id: out, inputs: cam, {sink}}}\n')

    def test_a_sink_that_would_refuse_the_second_run(self):
        path = self.camera('type: video_sink, options: {path: out.mp4}')
        for words in (('--repeat', '2'), ('--policies', 'fixed,latency')):
            done = self.sluice('thermal', path, '--duration', '1m', '--json', self.at('result.json'), *words)
            self.assertEqual((done.returncode, done.stdout), (2, ''), done.stderr)
            self.assertIn("node 'out': option 'path' is", done.stderr)
            self.assertIn('set overwrite: true', done.stderr)
        self.assertEqual(os.listdir(self.folder), ['camera.yaml'])

    def test_lines_of_a_sink_without_a_path_are_not_among_the_result(self):
        path = self.write('lines.yaml', f'''version: 1
models:
  face: {{path: {ROOT}/data/models/face_detection_front_128x128.onnx}}
nodes:
  - {{id: camera, type: video_source, options: {{uri: 'test:bars', width: 64, height: 64, pace: 30}}}}
  - {{id: pre, type: preprocess, inputs: camera, options: {{model: face}}}}
  - {{id: face, type: infer, inputs: pre, options: {{model: face, backends: [fake]}}}}
  - {{id: boxes, type: detect, inputs: face, options: {{decoder: blazeface}}}}
  - {{id: out, type: json_sink, inputs: boxes}}
''')
        for more in ((), ('--set', 'out.path=-')):
            done = self.sluice('thermal', path, '--duration', '1s', '--cool-down', '0', '--recovery', '0', '--json', '-', *more)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertGreater(json.loads(done.stdout)['runs'][0]['delivered'], 0)


if __name__ == '__main__':
    unittest.main()
