#!/usr/bin/env python3
"""The program of apps/camera_demo, on a machine without a display.

  SLUICE_CAMERA_DEMO=build/release/bin/camera_demo run_camera_demo.py
"""
import os
import shutil
import signal
import subprocess
import unittest

from faults import FACES, FRONT
from run_pipelines import ROOT, TIMEOUT_S, Program

DEMO = os.path.abspath(os.environ.get('SLUICE_CAMERA_DEMO', os.path.join(ROOT, 'build/release/bin/camera_demo')))
WIDTH, HEIGHT = 320, 180  # of the pictures that are compared


class CameraDemo(Program):
    """A video in; out comes one with a box around the face."""

    def setUp(self):
        super().setUp()
        self.environment = {name: value for name, value in os.environ.items() if name not in ('DISPLAY', 'WAYLAND_DISPLAY')}

    def demo(self, *words, code=0):
        done = subprocess.run([DEMO, *words], capture_output=True, text=True, timeout=TIMEOUT_S, cwd=self.folder, check=False,
                              env=self.environment)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def short(self, name):
        subprocess.run(['ffmpeg', '-v', 'error', '-i', FACES, '-t', '0.4', '-c', 'copy', self.at(name)], check=True)
        return self.at(name)

    @staticmethod
    def luma(video):
        """The small grey pictures of a video; none is repeated where one was dropped."""
        done = subprocess.run(['ffmpeg', '-v', 'error', '-i', video, '-vsync', 'passthrough', '-vf', f'scale={WIDTH}:{HEIGHT}',
                               '-pix_fmt', 'gray', '-f', 'rawvideo', '-'], check=True, capture_output=True)
        size = WIDTH * HEIGHT
        return [done.stdout[i:i + size] for i in range(0, len(done.stdout), size)]

    def test_boxes_are_drawn_into_a_video(self):
        """Whatever the files are called. In real time a busy machine may lose pictures."""
        source, written = self.short("it's $HOME, \"1\": .mp4"), self.at("out's $1.mp4")
        done = self.demo(source, FRONT, written)
        before, after = self.luma(source), self.luma(written)
        self.assertTrue(1 <= len(after) <= len(before))
        self.assertTrue(done.stdout.startswith(f'{len(after)} frames, '), done.stdout)
        self.assertIn(f'written to {written}', done.stdout)
        for new in after:
            changed = min(sum(abs(a - b) > 30 for a, b in zip(old, new)) for old in before)
            self.assertGreater(changed, 150, 'a box of 80 pixels a side')
            self.assertLess(changed, WIDTH * HEIGHT // 10)
        again = self.demo(source, FRONT, written, code=1)
        self.assertIn('exists', again.stderr)

    def test_without_names_it_writes_into_the_working_directory(self):
        """And a signal ends it in order."""
        shutil.copy(FACES, self.at('long.mp4'))
        with subprocess.Popen([DEMO, 'long.mp4', FRONT], stdout=subprocess.PIPE, text=True, cwd=self.folder,
                              env=self.environment) as process:
            self.addCleanup(process.kill)
            while not os.path.exists(self.at('camera_demo.mp4')):
                self.assertIsNone(process.poll())
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, 0, out)
        self.assertIn('written to camera_demo.mp4', out)

    def test_what_it_cannot_open_is_said(self):
        self.assertIn("'none.mp4': no such file", self.demo('none.mp4', FRONT, code=1).stderr)

    def test_it_is_short(self):
        with open(os.path.join(ROOT, 'apps/camera_demo/main.cc'), encoding='utf-8') as source:
            self.assertLess(len(source.readlines()), 100)


if __name__ == '__main__':
    unittest.main()
