#!/usr/bin/env python3
"""`sluice quantize` that is stopped, disks that are full, files that exist: both results are there whole, or neither.

  SLUICE_PROGRAM=build/release/bin/sluice run_quantize.py [Stopped ...]
"""
import os
import pty
import resource
import signal
import subprocess

from faults import FRONT, Faults, blocks_interrupts, main
from run_pipelines import PROGRAM, ROOT, TIMEOUT_S
from tiny_onnx import matmul_model, npz

PICTURES = os.path.join(ROOT, 'data/dlib-faces')
LONG = ('--data', PICTURES, '--scheme', 'mixed', '--min-snr', '200')  # raises one operator after the other


class Stopped(Faults):
    def begun(self):
        # pylint: disable-next=consider-using-with  # `finish` waits for it
        process = subprocess.Popen([PROGRAM, 'quantize', FRONT, *LONG, '-o', self.at('out.onnx'),
                                    '--write-encodings', self.at('e.json')], stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.finish, process)
        while process.poll() is None and not blocks_interrupts(process.pid):
            os.sched_yield()
        return process

    def test_one_signal_leaves_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.begun()
            process.send_signal(number)
            errors = process.communicate(timeout=TIMEOUT_S)[1]
            self.assertEqual(process.returncode, 0, errors)
            self.assertIn('interrupted before all samples were seen', errors)
            self.assertEqual(os.listdir(self.folder), [])

    def test_killed_it_leaves_nothing(self):
        process = self.begun()
        process.kill()
        process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(os.listdir(self.folder), [])


class Tiny(Faults):
    def words(self):
        with open(self.at('tiny.onnx'), 'wb') as model, open(self.at('x.npz'), 'wb') as data:
            model.write(matmul_model(1))
            data.write(npz(x=((2, 1, 1, 4), [1, 2, 3, 4, 5, 6, 7, 8])))
        return ('quantize', self.at('tiny.onnx'), '--data', self.at('x.npz'), '-o', self.at('out.onnx'))


class Existing(Tiny):
    def test_a_person_is_asked(self):
        """On a terminal; anything but yes keeps the file."""
        for answer, code in (('n', 1), ('', 1), ('y', 0)):
            self.write('out.onnx', 'precious')
            ours, theirs = pty.openpty()
            # pylint: disable-next=consider-using-with  # `finish` waits for it
            process = subprocess.Popen([PROGRAM, *self.words()], stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs)
            self.addCleanup(self.finish, process)
            os.write(ours, answer.encode() + b'\n')
            self.assertEqual(process.wait(TIMEOUT_S), code)
            os.close(theirs)
            self.assertIn(b'exists, replace it? [y/N]', os.read(ours, 1000))
            os.close(ours)
            with open(self.at('out.onnx'), 'rb') as out:
                self.assertEqual(out.read() == b'precious', code == 1)


class FullDisks(Tiny):
    def test_both_results_or_none(self):
        """A limit on the size of files stands for the disk: the encodings are longer than the model."""
        words = (*self.words(), '--write-encodings', self.at('e.json'), '--per-tensor')
        done = self.sluice(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        sizes = [os.path.getsize(self.at(name)) for name in ('out.onnx', 'e.json')]
        for name in ('out.onnx', 'e.json'):
            os.remove(self.at(name))
        for limit in (min(sizes) - 1, max(sizes) - 1):
            done = self.sluice(*words, preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
            self.assertEqual((done.returncode, done.stdout), (1, ''), done.stderr)
            self.assertIn('cannot be written: File too large', done.stderr)
            self.assertEqual(sorted(os.listdir(self.folder)), ['tiny.onnx', 'x.npz'])


if __name__ == '__main__':
    main()
