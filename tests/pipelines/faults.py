"""What the tests of faults share: small pipelines, written on the spot and run by the program."""
import json
import os
import signal
import subprocess
import sys
import unittest

from run_pipelines import PROGRAM, ROOT, TIMEOUT_S, Program

FACES = os.path.join(ROOT, 'data/videos/face720.mp4')
FRONT = os.path.join(ROOT, 'data/models/face_detection_front_128x128.onnx')
BARS = '{uri: "test:bars", width: 64, height: 64, fps: 30}'


def main():
    if not os.access(PROGRAM, os.X_OK):
        sys.exit(f'error: {PROGRAM} cannot be run: build it, or set SLUICE_PROGRAM')
    unittest.main()


def blocks_interrupts(pid):
    """Whether the process has begun to wait for signals by itself; before that they end it as any program."""
    with open(f'/proc/{pid}/status', encoding='utf-8') as status:
        blocked = next(line for line in status if line.startswith('SigBlk')).split()[1]
    return int(blocked, 16) >> (signal.SIGINT - 1) & 1


class Faults(Program):
    """Small pipelines written on the spot."""

    def pipeline(self, *nodes, more=''):
        return self.write('pipeline.yaml', 'version: 1\nnodes:\n' + ''.join(f'  - {{{node}}}\n' for node in nodes) + more)

    def source_to(self, options, sink='type: null_sink', more=''):
        return self.pipeline(f'id: cam, type: video_source, options: {options}', f'id: out, inputs: cam, {sink}', more=more)

    def nothing_is_left_over(self):
        """Files that are replaced at once have a name that starts with a dot until they are whole."""
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith('.')], [])

    def report(self):
        report = json.loads(self.read('report.json'))
        self.check_equations(report)
        return report

    def run_it(self, path, *words, code=0, **more):
        done = self.sluice('run', path, '--report', self.at('report.json'), *words, **more)
        self.assertEqual(done.returncode, code, done.stderr)
        self.nothing_is_left_over()
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
        self.nothing_is_left_over()
        return out, errors

    @staticmethod
    def ffmpeg(*words):
        subprocess.run(['ffmpeg', '-v', 'error', '-y', *words], check=True, timeout=TIMEOUT_S)
