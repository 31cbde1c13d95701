#!/usr/bin/env python3
"""What the program says of small mistakes and small models: once, with the place, and with what helps.

  SLUICE_PROGRAM=build/release/bin/sluice run_words.py [Words.test_a_package_keeps_the_name ...]
"""
import json
import os

from faults import BARS, FACES, FRONT, Faults, main
from tiny_onnx import matmul_model, unary_model

# As they stand in the provider's library, and in the configuration files of QNN's own tools.
PROVIDER_KEYS = '''
backend_type backend_path profiling_level profiling_file_path rpc_control_latency htp_performance_mode qnn_context_priority
htp_graph_finalization_optimization_mode soc_model htp_arch device_id enable_htp_fp16_precision enable_htp_fp16_clamp_overflow
htp_bf16_enable offload_graph_io_quantization enable_htp_shared_memory_allocator enable_dx12_shared_memory_allocator
enable_htp_spill_fill_buffer extended_udma enable_htp_monolithic_lstm enable_block_quant_weight_optimization
enable_vtcm_backup_buffer_sharing htp_share_resource_optimization htp_reused_io_limit_mb disable_file_mapped_weights
enable_htp_prepare_only enable_htp_prepare_and_load enable_htp_graph_splitting htp_graph_splitting_num_prepare_threads
num_graph_prepare_threads op_packages op_affinity dump_json_qnn_graph json_qnn_graph_dir dump_qnn_ep_input_graph
dump_qnn_ep_input_graph_dir dump_qnn_ir_dlc dump_qnn_ir_dlc_dir qnn_ir_backend_path qnn_saver_path enable_framework_op_trace
framework_op_trace_dir skip_backend_op_validation skip_qnn_version_check genie_log_level
soc_id dsp_arch perf_profile rpc_polling_time core_id pd_session graph_names enable_graphs vtcm_size_in_mb O dlbc hvx_threads
fp16_relaxed_precision weight_sharing_enabled mem_type
'''.split()
FAILS = 'fake: {fail_at: [%s], latency_ms: 0}' % ', '.join(str(i) for i in range(200))


class Words(Faults):
    def errors(self, path):
        done = self.sluice('check', path)
        self.assertEqual(done.returncode, 2, done.stderr)
        return done.stderr.replace(path, 'FILE').splitlines()

    def tiny(self, rows):
        with open(self.at('tiny.onnx'), 'wb') as target:
            target.write(matmul_model(rows))
        return self.at('tiny.onnx')

    def test_the_size_of_a_test_pattern_is_checked_with_the_file(self):
        for options, column, says in (('width: 62', 70, "'width' is 62, allowed for test:bars: even numbers from 64 to 3840 (max_width)"),
                                      ('height: 101', 71, "'height' is 101, allowed for test:bars: even numbers from 64 to 2160 (max_height)"),
                                      ('max_width: 640', 10, "'width' is 1280, allowed for test:bars: even numbers from 64 to 640 (max_width)")):
            lines = self.errors(self.source_to('{uri: "test:bars", %s}' % options))
            self.assertEqual(lines, [f"FILE:3:{column}: error: node 'cam': option {says}"])

    def test_a_value_that_is_no_number_is_one_error(self):
        path = self.pipeline('id: cam, type: video_source, options: {uri: "test:bars", fps: .nan}',
                             'id: out, type: null_sink, inputs: {in: {from: cam, capacity: .nan}}',
                             more='flow: {max_in_flight: .inf}\nselector: {target_fps: 1e999}\n')
        lines = self.errors(path)
        self.assertEqual([line.split(' ')[0] for line in lines], ['FILE:3:68:', 'FILE:4:67:', 'FILE:5:23:', 'FILE:6:24:'])

    def test_errors_of_a_profile_have_their_place_once(self):
        profile = self.write('hot.yaml', 'version: 1\nambient_c: .nan\n')
        path = self.source_to(BARS, more=f'device: {{telemetry: simulated, profile: {profile}}}\n')
        lines = self.errors(path)
        self.assertEqual(lines[0], 'FILE:5:41: error: device: profile: the profile of the device has errors:')
        found = lines[1:]
        self.assertEqual(len([line for line in found if line.startswith(profile + ':2:12: error: ')]), 1, found)
        done = self.sluice('run', self.source_to(BARS), '--device', 'sim:' + profile)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stderr.splitlines(), ['sluice: error: the profile of the device has errors:'] + found)

    def test_a_package_keeps_the_name(self):
        """Of the file, where none is written; a name that is written stays as it is."""
        block = 'version: 1\nnodes:\n  - {id: cam, type: video_source, options: %s}\n  - {id: out, type: null_sink, inputs: cam}\n' % BARS
        braces = '{version: 1, nodes: [{id: cam, type: video_source, options: %s}, {id: out, type: null_sink, inputs: cam}]}\n' % BARS
        for text, name in ((block, 'door$1'), ('# says what it is\n' + braces, 'door$1'), (block + 'name: other\n', 'other'),
                           ('---\n  ' + block.replace('\n', '\n  '), 'door$1')):
            with self.subTest(text=text):
                path = self.write('door$1.yaml', text)
                done = self.sluice('package', path, '-o', self.at('box'), '--force')
                self.assertEqual(done.returncode, 0, done.stderr)
                self.run_it(self.at('box'), '--frames', '1')
                self.assertEqual(self.report()['pipeline'], name)

    def test_each_setting_of_the_npus_provider_is_refused_with_ours_or_the_reason(self):
        path = self.source_to(BARS, more='backends:\n  htp:\n' + ''.join(f'    {key}: 1\n' for key in PROVIDER_KEYS))
        lines = self.errors(path)
        self.assertEqual(len(lines), len(PROVIDER_KEYS))
        for line, key in zip(lines, PROVIDER_KEYS):
            self.assertRegex(line, rf"^FILE:\d+:5: error: backends: key 'htp\.{key}' is not taken: \w")

    def test_a_simulated_device_is_named(self):
        self.run_it(self.source_to(BARS, more='device: {telemetry: simulated, profile: qcs6490}\n'), '--frames', '1')
        self.assertEqual(self.report()['device']['profile'], 'qcs6490')

    def test_thirty_failures_in_a_row_say_so(self):
        path = self.write('pipeline.yaml', 'version: 1\nmodels: {face: {path: %s}}\nnodes:\n' % FRONT +
                          '  - {id: cam, type: video_source, options: %s}\n' % BARS +
                          '  - {id: pre, type: preprocess, inputs: cam, options: {model: face}}\n'
                          '  - {id: face, type: infer, inputs: pre, options: {model: face, backends: [fake], %s}}\n' % FAILS +
                          '  - {id: out, type: null_sink, inputs: face}\n')
        for device in ('real', 'sim:qcs6490'):
            done = self.run_it(path, '--frames', '100', '--device', device, code=1)
            self.assertIn('; the run stops (30 failures in a row)', done.stderr)
            self.assertEqual(self.report()['error'].count('30 failures in a row'), 1)

    def test_profile_takes_the_shape_it_asks_for(self):
        model = self.tiny('N')
        done = self.sluice('profile', model, '--backend', 'cpu', '--duration', '50ms')
        self.assertEqual(done.returncode, 3)
        self.assertIn('give --shape INPUT=DIMS', done.stderr)
        done = self.sluice('profile', model, '--backend', 'cpu', '--duration', '50ms', '--shape', 'x=1x3x4', '--json')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(json.loads(done.stdout)['backends'][0]['runs'], 0)

    def test_eval_calls_a_class_without_a_name_by_its_number(self):
        """As json_sink writes it. The brightest of four pixels is the class."""
        with open(self.at('brightest.onnx'), 'wb') as target:
            target.write(unary_model('Relu', dims=(1, 1, 1, 4)))
        for folder, pixels in (('0', (90, 9, 9, 9)), ('2', (9, 9, 90, 9)), ('3', (90, 9, 9, 9))):
            os.makedirs(self.at('labels/' + folder))
            with open(self.at(f'labels/{folder}/picture.pgm'), 'wb') as target:
                target.write(b'P5 4 1 255\n' + bytes(pixels))
        text = ('version: 1\nmodels: {m: {path: brightest.onnx}}\nnodes:\n'
                '  - {id: cam, type: image_source, options: {path: labels}}\n'
                '  - {id: pre, type: preprocess, inputs: cam, options: {model: m, color: gray}}\n'
                '  - {id: run, type: infer, inputs: pre, options: {model: m}}\n'
                '  - {id: best, type: classify, inputs: run%s}\n'
                '  - {id: out, type: null_sink, inputs: best}\n')
        for options, right in (('', 2), (', options: {labels: [zero, one, "2", three]}', 1)):
            done = self.sluice('eval', self.write('pipeline.yaml', text % options), '--labels', self.at('labels'), '--json')
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertAlmostEqual(json.loads(done.stdout)['top1'], right / 3, places=5)

    def test_cores_are_checked_with_the_file(self):
        path = self.source_to(BARS, more='backends: {cpu: {cores: bigg}}\n')
        self.assertEqual(self.errors(path), ["FILE:5:25: error: backends: key 'cpu.cores' is 'bigg', but must be a text such as "
                                             "0,4-7, a whole number or a list of both, or one of: auto, big, all; did you mean 'big'?"])

    def test_names_of_classes_and_cores_may_be_numbers(self):
        text = ('version: 1\nmodels: {face: {path: %s}}\nnodes:\n' % FRONT +
                '  - {id: cam, type: video_source, options: {uri: %s}}\n' % FACES +
                '  - {id: pre, type: preprocess, inputs: cam, options: {model: face, mean: 127.5, std: 127.5}}\n'
                '  - {id: face, type: infer, inputs: pre, options: {model: face, cpu: {cores: [0]}}}\n'
                '  - {id: boxes, type: detect, inputs: face, options: {decoder: blazeface, labels: %s}}\n'
                '  - {id: out, type: json_sink, inputs: boxes, options: {path: "-"}}\n')
        done = self.sluice('run', self.write('pipeline.yaml', text % '[7]'), '--frames', '1', '--quiet')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)['detections'][0]['label'], '7')
        lines = self.errors(self.write('pipeline.yaml', text % '[0.5]'))
        self.assertEqual(len(lines), 1)
        self.assertIn("option 'labels' is 0.5, but must be a text", lines[0])

    def test_a_small_model_has_its_number(self):
        done = self.sluice('inspect', self.tiny(3))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(' 24 multiply-accumulates', done.stdout)


if __name__ == '__main__':
    main()
