#!/usr/bin/env python3
"""What a run does without: libraries that its pipeline does not need, and memory once it is warm.

  SLUICE_PROGRAM=build/release/bin/sluice run_lean.py [Lean.test_a_warm_run_asks_for_no_memory]
"""
import json
import os
import subprocess
import unittest

from run_pipelines import PACED, ROOT, Program
from tiny_onnx import chain_model


class Lean(Program):
    """What a run loads, and what it asks the operating system for once it is warm."""

    ENGINE = 'libonnxruntime'
    VIDEO = 'libavcodec'
    # Of OpenCV only picture arithmetic is needed, and that by nobody here.
    FOREIGN = (ENGINE, VIDEO, 'libavformat', 'libopencv', 'sluice_video')

    def loaded(self, *words):
        """File names of the libraries that a run loads, by the dynamic linker's own account."""
        done = self.sluice(*words, stdout=subprocess.DEVNULL,
                           env={**os.environ, 'LD_DEBUG': 'files', 'LD_DEBUG_OUTPUT': self.at('linker')})
        self.assertEqual(done.returncode, 0, done.stderr)
        names = set()
        for name in os.listdir(self.folder):
            if name.startswith('linker.'):
                names |= {os.path.basename(line.split('calling init: ')[1].strip())
                          for line in self.read(name).splitlines() if 'calling init: ' in line}
                os.remove(self.at(name))
        return names

    def foreign(self, *words):
        return sorted(part for part in self.FOREIGN if any(name.startswith(part) for name in self.loaded(*words)))

    def test_nothing_is_loaded_that_a_pipeline_does_not_need(self):
        self.assertEqual(self.foreign('run', self.shipped('hello'), '--frames', '3'), [])
        self.assertEqual(self.foreign('check', self.shipped('face_fast')), [])
        self.assertEqual(self.foreign('plan', self.shipped('face_fast')), [])
        path = self.write('model.yaml', self.faces('cpu'))
        self.assertEqual(self.foreign('run', path, '--frames', '3'), [self.ENGINE])
        self.assertEqual(self.foreign('run', self.write('fake.yaml', self.faces('fake')), '--frames', '3'), [])
        self.assertEqual(self.foreign('run', self.shipped('face_fast'), '--frames', '3'),
                         [self.VIDEO, 'libavformat', self.ENGINE, 'sluice_video'])

    def faces(self, backend):
        model = os.path.join(ROOT, 'data/models/face_detection_front_128x128.onnx')
        return (f'version: 1\nmodels: {{face: {{path: {model}}}}}\nnodes:\n'
                '  - {id: camera, type: video_source, options: {uri: "test:noise", width: 1280, height: 720, fps: 30}}\n'
                '  - {id: pre, type: preprocess, inputs: camera, options: {model: face, fit: letterbox}}\n'
                f'  - {{id: face, type: infer, inputs: pre, options: {{model: face, backends: [{backend}], '
                'fake: {latency_ms: 1}}}\n'
                '  - {id: boxes, type: detect, inputs: face, options: {decoder: blazeface}}\n'
                '  - {id: overlay, type: draw, inputs: {image: camera, detections: boxes}}\n'
                '  - {id: preview, type: null_sink, inputs: overlay}\n'
                f'  - {{id: out, type: json_sink, inputs: boxes, options: {{path: {self.at("out.jsonl")}, '
                'overwrite: true}}\nflow: {mode: lossless}\n')

    def classes(self):
        with open(self.at('four.onnx'), 'wb') as model:
            model.write(chain_model(['Softmax'], (1, 1, 1, 4)))
        return (f'version: 1\nmodels: {{four: {{path: {self.at("four.onnx")}}}}}\nnodes:\n'
                '  - {id: camera, type: video_source, options: {uri: "test:noise", width: 64, height: 64, fps: 30}}\n'
                '  - {id: pre, type: preprocess, inputs: camera, options: {model: four, color: gray}}\n'
                '  - {id: four, type: infer, inputs: pre, options: {model: four, backends: [fake]}}\n'
                '  - {id: best, type: classify, inputs: four}\n'
                '  - {id: out, type: null_sink, inputs: best}\nflow: {mode: lossless}\n')

    def memory_of(self, text):
        report = self.at('report.json')
        done = self.sluice('run', self.write('fake.yaml', text), '--frames', '2030', '--report', report)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(self.read('report.json'))['memory']

    @unittest.skipUnless(PACED, 'sanitizers and poisoned buffers allocate and touch memory of their own')
    def test_a_warm_run_asks_for_no_memory(self):
        """Without a codec and an engine all that runs is ours: no allocation and no page fault per frame."""
        self.assertEqual(self.memory_of(self.classes())['allocations_per_frame'], 0.0)
        memory = self.memory_of(self.faces('fake'))
        self.assertEqual(memory['allocations_per_frame'], 0.0)
        # Some 30 pages of code and stacks are touched late, however long the run; a page per frame would be 2000.
        self.assertLess(memory['page_faults_per_frame'] * 2000, 100, memory)


if __name__ == '__main__':
    unittest.main()
