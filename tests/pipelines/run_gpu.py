#!/usr/bin/env python3
"""Backend gpu as a user meets it: which device, what stays on the cpu, its cache, models of a text pipeline.

  SLUICE_PROGRAM=build/release/bin/sluice SLUICE_FAKE_OPENCL_LIBRARY=... run_gpu.py [Cache ...]
"""
import json
import os
import re
import resource
import select
import signal
import subprocess

from faults import Faults, main
from run_pipelines import PROGRAM, ROOT, TIMEOUT_S
from tiny_onnx import chain_model

OCR = os.path.join(ROOT, 'data/ocr-models')
# Model, and the sizes of its dimensions p2o.DynamicDimension.N.
TEXT = {'detection': ('ch_PP-OCRv4_det_infer', {0: 1, 1: 320, 2: 320, 3: 1, 4: 320, 5: 320}),
        'direction': ('ch_ppocr_mobile_v2.0_cls_infer', {0: 1, 1: 48, 2: 192, 3: 1}),
        'recognition': ('ch_PP-OCRv4_rec_infer', {0: 1, 1: 320, 2: 1, 3: 40})}
DEVICES = 'Blue platform:Blue 100,Blue 1000;Red platform:cpu-red'


class Gpu(Faults):
    """A small model on the gpu, its pictures from a test pattern."""

    def setUp(self):
        super().setUp()
        self.model('Relu', 'Abs')

    def model(self, *kinds):
        with open(self.at('small.onnx'), 'wb') as target:
            target.write(chain_model(kinds, (1, 3, 16, 16)))

    def small(self, gpu='{}', backends='[gpu]', fallback='error'):
        return self.write('small.yaml', f'''version: 1
models: {{small: {{path: small.onnx}}}}
nodes:
  - {{id: cam, type: video_source, options: {{uri: "test:bars", width: 64, height: 64}}}}
  - {{id: pre, type: preprocess, inputs: cam, options: {{model: small}}}}
  - {{id: net, type: infer, inputs: pre, options: {{model: small, backends: {backends}, on_fallback: {fallback}, gpu: {gpu}}}}}
  - {{id: out, type: null_sink, inputs: net}}
''')

    def run_small(self, path=None, code=0, **variables):
        return self.run_it(path or self.small(), '--frames', '2', code=code, env={**os.environ, **variables})

    def entry(self):
        return self.report()['inference'][0]


class Text(Gpu):
    def test_all_operators_of_a_text_pipelines_models_run_on_the_gpu(self):
        text = 'version: 1\nmodels:\n'
        for name, (file, dims) in TEXT.items():
            sizes = ', '.join(f'p2o.DynamicDimension.{number}: {size}' for number, size in dims.items())
            text += f'  {name}: {{path: {OCR}/{file}.onnx, dims: {{{sizes}}}}}\n'
        text += 'nodes:\n  - {id: cam, type: video_source, options: {uri: "test:bars", width: 320, height: 320}}\n'
        for name in TEXT:
            text += (f'  - {{id: pre_{name}, type: preprocess, inputs: cam, options: {{model: {name}, mean: 127.5, std: 127.5}}}}\n'
                     f'  - {{id: {name}, type: infer, inputs: pre_{name}, options: {{model: {name}, backends: [gpu], on_fallback: error}}}}\n'
                     f'  - {{id: out_{name}, type: null_sink, inputs: {name}}}\n')
        self.run_it(self.write('text.yaml', text), '--frames', '1')
        entries = self.report()['inference']
        self.assertEqual({entry['node'] for entry in entries}, set(TEXT))
        for entry in entries:
            self.assertEqual(entry['backend'], 'gpu')
            self.assertGreater(entry['operators']['total'], 100)
            self.assertEqual(entry['operators']['on_backend'], entry['operators']['total'])
            self.assertEqual(entry['operators']['elsewhere'], {})


class Elsewhere(Gpu):
    """What the gpu does not take, in each way the contract has; Sign is no operator of it."""

    WHY = "node 'n_Sign' (Sign) is no operator of this backend"

    def test_an_operator_that_stays_on_the_cpu_is_said_and_reported(self):
        self.model('Relu', 'Sign', 'Abs')
        says = f"backend 'gpu' takes 2 of 3 operators, cpu takes 1 (gpu: {self.WHY})"
        done = self.run_small(self.small(fallback='warn'))
        self.assertEqual([line for line in done.stderr.splitlines() if 'warning' in line],
                         [f"sluice: warning: node 'net': {says}"])
        self.assertEqual(self.entry()['operators'], {'total': 3, 'on_backend': 2, 'elsewhere': {'cpu': 1}})
        self.assertEqual(self.entry()['warnings'], [says])
        done = self.run_small(self.small(fallback='allow'))
        self.assertNotIn('Sign', done.stderr)
        self.assertEqual(self.entry()['warnings'], [says])
        done = self.run_small(self.small(fallback='error'), code=3)
        self.assertEqual(done.stderr, f"sluice: error: node 'net': {says}; on_fallback is 'error'\n")

    def test_compile_says_it_too(self):
        for kinds, code, says in ((('Relu', 'Sign', 'Abs'), 0, f"takes 2 of 3 operators of '{self.at('small.onnx')}', "
                                   f'the others run on the cpu (gpu: {self.WHY})'), (('Sign',), 3, 'takes no operator of')):
            with self.subTest(kinds=kinds):
                self.model(*kinds)
                done = self.sluice('compile', self.at('small.onnx'), '--backend', 'gpu', '-o', self.at(f'{code}.onnx'),
                                   env={**os.environ, 'SLUICE_ARTIFACTS': self.at('artifacts')})
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                self.assertIn(says, done.stderr)
                self.assertEqual(os.path.exists(self.at(f'{code}.onnx')), code == 0)


class Devices(Gpu):
    def test_a_loader_without_platforms_leaves_everything_else_at_work(self):
        os.mkdir(self.at('vendors'))
        nothing = {'OCL_ICD_VENDORS': self.at('vendors') + '/'}
        doctor = self.sluice('doctor', env={**os.environ, **nothing})
        self.assertEqual(doctor.returncode, 0, doctor.stderr)
        self.assertIn("backend 'gpu' is not available: there is no OpenCL platform: ", doctor.stdout)
        self.assertIn('cpu: available', doctor.stdout)
        done = self.run_small(code=3, **nothing)
        self.assertIn("node 'net': backend 'gpu' is not available: there is no OpenCL platform", done.stderr)
        done = self.run_small(self.small(backends='[gpu, cpu]', fallback='warn'), **nothing)
        self.assertEqual(done.stderr.count('there is no OpenCL platform'), 1, done.stderr)
        self.assertEqual(self.entry()['backend'], 'cpu')
        self.run_small(self.small(backends='[cpu]'), **nothing)

    def test_are_chosen_by_name_among_several_platforms(self):
        fake = {'SLUICE_OPENCL': os.environ['SLUICE_FAKE_OPENCL_LIBRARY'], 'SLUICE_FAKE_OPENCL_DEVICES': DEVICES,
                'SLUICE_ARTIFACTS': 'off'}
        doctor = self.sluice('doctor', env={**os.environ, **fake})
        for name in ('Blue 100 (Blue platform', 'Blue 1000 (Blue platform', 'cpu-red (Red platform'):
            self.assertIn(name, doctor.stdout)
        for name in ('auto', 'Blue 100', ' 1000', 'RED'):
            self.run_small(self.small('{device: "%s"}' % name), **fake)
        for name, says in (('nope', "no OpenCL device is called 'nope'; there are: 'Blue 100' of 'Blue platform', 'Blue 1000' "
                            "of 'Blue platform', 'cpu-red' of 'Red platform'"),
                           ('blue', "'blue' names more than one OpenCL device: 'Blue 100' of 'Blue platform', 'Blue 1000' of "
                            "'Blue platform'; write more of the name")):
            done = self.run_small(self.small('{device: "%s"}' % name), code=3, **fake)
            self.assertEqual(done.stderr, f"sluice: error: node 'net': {says}; on_fallback is 'error'\n")

    def test_words_that_no_option_has_are_errors_of_the_file(self):
        for wrong, says in (('device: 3', "'gpu.device' is 3, but must be a text"),
                            ('device: [a]', "'gpu.device' is a list, but must be a text"),
                            ('precision: fp8', "'gpu.precision' is 'fp8', allowed: auto, fp16, fp32"),
                            ('performance_mode: fast', "'gpu.performance_mode' is 'fast', allowed: burst, "),
                            ('context_priority: 1', "'gpu.context_priority' is 1, allowed: low, normal, high"),
                            ('run_timeout_ms: 0', "'gpu.run_timeout_ms' is 0, allowed: 1 to"),
                            ('devic: a', "unknown option 'gpu.devic', allowed: device, ")):
            done = self.sluice('check', self.small('{%s}' % wrong))
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(says, done.stderr)

    def test_nothing_links_to_opencl(self):
        """libOpenCL is looked for when gpu is asked for: a machine without it still starts."""
        folder = os.path.dirname(os.path.dirname(PROGRAM))
        for path in (PROGRAM, os.path.join(folder, 'lib/sluice/sluice_gpu.so')):
            needed = subprocess.run(['readelf', '-d', path], stdout=subprocess.PIPE, text=True, check=True, timeout=TIMEOUT_S)
            self.assertIn('NEEDED', needed.stdout)
            self.assertNotIn('OpenCL', needed.stdout)


class Cache(Gpu):
    """The folder of compiled programs, on the real driver: one warning, never a failure."""

    def kept(self):
        return sorted(os.listdir(self.at('artifacts')))

    def warnings_of(self, artifacts, library=None, **more):
        environment = {**os.environ, 'SLUICE_ARTIFACTS': artifacts, **(library or {})}
        done = self.run_it(self.small(), '--frames', '2', env=environment, **more)
        self.assertEqual(self.entry()['backend'], 'gpu')
        return [line for line in done.stderr.splitlines() if 'warning' in line]

    def test_a_folder_that_cannot_be_used_is_one_warning(self):
        os.mkdir(self.at('open'))
        os.chmod(self.at('open'), 0o777)
        os.mkdir(self.at('real'), 0o700)
        os.symlink(self.at('real'), self.at('link'))
        self.write('file', '')
        for name, why in (('open', 'can be written by other users'), ('link', 'is a symbolic link'), ('file', 'or no folder'),
                          ('file/below', 'cannot be made')):
            with self.subTest(name=name):
                warnings = self.warnings_of(self.at(name))
                self.assertEqual(len(warnings), 1, warnings)
                self.assertIn(why, warnings[0])
        self.assertEqual(os.listdir(self.at('open')) + os.listdir(self.at('real')), [])

    def test_a_full_disk_is_one_warning_and_leaves_nothing(self):
        """Over a library that writes nothing itself, as PoCL would; the limit is less than a program, more than a report."""
        warnings = self.warnings_of(self.at('artifacts'), library={'SLUICE_OPENCL': os.environ['SLUICE_FAKE_OPENCL_LIBRARY']},
                                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
        self.assertEqual(len(warnings), 1, warnings)
        self.assertIn('takes no entry: File too large', warnings[0])
        self.assertEqual(self.kept(), [])

    def test_nothing_is_compiled_for_a_folder_that_takes_no_file(self):
        done = self.sluice('compile', self.at('small.onnx'), '--backend', 'gpu', '-o', self.at('out.onnx'),
                           env={**os.environ, 'SLUICE_ARTIFACTS': self.at('artifacts')},
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn(f"would be kept nowhere: artefact cache: '{self.at('artifacts')}' takes no entry: File too large", done.stderr)
        self.assertEqual(self.kept(), [])
        self.assertFalse(os.path.exists(self.at('out.onnx')))

    def test_what_is_not_kept_is_not_compiled(self):
        done = self.sluice('compile', self.at('small.onnx'), '--backend', 'gpu', '-o', self.at('out.onnx'),
                           env={**os.environ, 'SLUICE_ARTIFACTS': self.at('artifacts'),
                                'SLUICE_OPENCL': os.environ['SLUICE_FAKE_OPENCL_LIBRARY']},
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(f"error: the artefact cache '{self.at('artifacts')}' did not take ", done.stderr)
        self.assertFalse(os.path.exists(self.at('out.onnx')))

    def test_garbage_in_it_is_made_again(self):
        self.assertEqual(self.warnings_of(self.at('artifacts')), [])
        kept = self.kept()
        self.assertTrue(kept)
        sizes = [os.path.getsize(self.at('artifacts/' + name)) for name in kept]
        for name in kept:
            with open(self.at('artifacts/' + name), 'wb') as target:
                target.write(b'\x7fELF' + bytes(5000))
        self.write('artifacts/notes.txt', 'mine')
        warnings = self.warnings_of(self.at('artifacts'))
        self.assertEqual(len(warnings), len(kept), warnings)
        self.assertTrue(all('it is made again' in line for line in warnings), warnings)
        self.assertEqual(self.kept(), sorted(kept + ['notes.txt']))
        self.assertTrue(all(os.path.getsize(self.at('artifacts/' + name)) > 5004 or size <= 5004 for name, size in zip(kept, sizes)))
        self.assertEqual(self.warnings_of(self.at('artifacts')), [])

    def test_two_processes_at_once_on_an_empty_cache(self):
        path = self.small()
        for _ in ('cold', 'warm'):
            runs = []
            for number in range(2):
                words = (PROGRAM, 'run', path, '--frames', '2', '--report', self.at(f'{number}.json'))
                # pylint: disable-next=consider-using-with  # both at once; waited for below
                runs.append(subprocess.Popen(words, stderr=subprocess.PIPE, text=True,
                                             env={**os.environ, 'SLUICE_ARTIFACTS': self.at('artifacts')}))
            for number, run in enumerate(runs):
                _, errors = run.communicate(timeout=TIMEOUT_S)
                self.assertEqual(run.returncode, 0, errors)
                self.assertNotIn('warning', errors)
                self.assertEqual(json.loads(self.read(f'{number}.json'))['inference'][0]['backend'], 'gpu')
            self.assertTrue(all(name.endswith('.artifact') for name in self.kept()), self.kept())
            self.assertTrue(self.kept())


class EveryCall(Gpu):
    """Each call of OpenCL's that we make, failing from its first time on, in each way that a driver fails."""

    ERRORS = {'out of memory': -5, 'device lost': -2, 'wrong': -30}
    IN_PLACE = ('clEnqueueMapBuffer', 'clEnqueueUnmapMemObject', 'clFinish')  # made where the device has the host's memory

    @staticmethod
    def functions():
        with open(os.path.join(ROOT, 'backends/gpu/device/api.h'), encoding='utf-8') as source:
            return re.findall(r'X\((cl\w+)\)', source.read())

    def test_the_pipeline_goes_on(self):
        """On the cpu, which is said; or on the gpu, where nothing depends on the answer."""
        path = self.small(backends='[gpu, cpu]', fallback='warn')
        on_cpu = set()
        for function in self.functions():
            for kind, error in self.ERRORS.items():
                with self.subTest(function=function, kind=kind):
                    variables = {'SLUICE_OPENCL': os.environ['SLUICE_FAKE_OPENCL_LIBRARY'], 'SLUICE_ARTIFACTS': 'off',
                                 'SLUICE_FAKE_OPENCL': f'{function}:1:{error}'}
                    if function in self.IN_PLACE:
                        variables['SLUICE_FAKE_OPENCL_UNIFIED'] = '1'
                    done = self.run_it(path, '--frames', '5', env={**os.environ, **variables})
                    frames, backend = self.report()['frames'], self.entry()['backend']
                    # By the node when the backend gives up in a run, else by what chooses between backends.
                    said = [line for line in done.stderr.splitlines() if re.search("node 'net'.*(backend 'gpu'|: gpu failed)", line)]
                    self.assertGreaterEqual(frames['delivered'], 3, 'the third failure in a row goes to the cpu')
                    self.assertEqual(bool(said), backend == 'cpu', done.stderr)
                    if backend == 'cpu':
                        on_cpu.add(function)
        self.assertEqual(set(self.functions()) - on_cpu, self.HARMLESS)

    # Releases, texts about a device, what only other ways ask for.
    HARMLESS = {'clCreateProgramWithBinary', 'clGetEventProfilingInfo', 'clGetExtensionFunctionAddressForPlatform',
                'clGetPlatformInfo', 'clGetProgramBuildInfo', 'clGetProgramInfo', 'clReleaseCommandQueue', 'clReleaseContext',
                'clReleaseEvent', 'clReleaseKernel', 'clReleaseMemObject', 'clReleaseProgram'}


class Interrupts(Gpu):
    """While the driver compiles: it reads a pipe there, which this end opens and closes."""

    def start_compiling(self):
        os.mkfifo(self.at('gate'))
        return self.start(self.small(), env={**os.environ, 'SLUICE_OPENCL': os.environ['SLUICE_FAKE_OPENCL_LIBRARY'],
                                             'SLUICE_FAKE_OPENCL_GATE': self.at('gate'), 'SLUICE_ARTIFACTS': self.at('artifacts')})

    def test_one_ends_the_run_when_the_driver_has_compiled(self):
        process = self.start_compiling()
        with open(self.at('gate'), 'w', encoding='utf-8'):
            process.send_signal(signal.SIGINT)
        self.ended(process, 0)
        self.assertEqual(self.report()['status'], 'stopped')
        self.assertTrue(all(name.endswith('.artifact') for name in os.listdir(self.at('artifacts'))))

    def test_two_end_it_at_once(self):
        process = self.start_compiling()
        with open(self.at('gate'), 'w', encoding='utf-8'):
            process.send_signal(signal.SIGINT)
            while process.poll() is None:  # those of the first moment count as one
                process.send_signal(signal.SIGTERM)
                select.select([], [], [], 0.05)
            self.assertEqual(process.returncode, 130)


if __name__ == '__main__':
    main()
