#!/usr/bin/env python3
"""The program of apps/camera_demo, on a machine without a display, and (where Xvfb is installed) with one.

  SLUICE_CAMERA_DEMO=build/release/bin/camera_demo run_camera_demo.py
"""
import os
import select
import shutil
import signal
import struct
import subprocess
import unittest

from faults import FACES, FRONT
from run_pipelines import PACED, ROOT, TIMEOUT_S, Program

DEMO = os.path.abspath(os.environ.get('SLUICE_CAMERA_DEMO', os.path.join(ROOT, 'build/release/bin/camera_demo')))
WIDTH, HEIGHT = 320, 180  # of the pictures that are compared


class Demo(Program):
    """The program's environment has no display."""

    def setUp(self):
        super().setUp()
        self.environment = {name: value for name, value in os.environ.items() if name not in ('DISPLAY', 'WAYLAND_DISPLAY')}


class CameraDemo(Demo):
    """A video in; out comes one with a box around the face."""

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


@unittest.skipUnless(shutil.which('Xvfb') and PACED, 'Xvfb is not installed, or the build has sanitizers, which its libraries have not')
class Window(Demo):
    """A display that lies in a file."""

    def setUp(self):
        super().setUp()
        reading, writing = os.pipe()
        with open(self.at('xvfb.log'), 'wb') as log:
            # pylint: disable-next=consider-using-with  # it lives as long as the test
            display = subprocess.Popen(['Xvfb', '-displayfd', str(writing), '-screen', '0', '1280x800x24', '-fbdir', self.folder,
                                        '-nolisten', 'tcp'], pass_fds=[writing], stdout=log, stderr=log)
        self.addCleanup(display.wait)
        self.addCleanup(display.terminate)
        os.close(writing)
        with open(reading, encoding='utf-8') as answer:
            number = answer.readline().strip()
        self.assertNotEqual(number, '', self.read('xvfb.log'))
        self.environment['DISPLAY'] = ':' + number

    def colours(self):
        """How many there are on the screen (a file as xwd writes it)."""
        with open(self.at('Xvfb_screen0'), 'rb') as screen:
            data = screen.read()
        header = struct.unpack_from('>25I', data)
        first = header[0] + header[19] * 12  # behind the header and the colour map
        return len({data[i:i + 4] for i in range(first, len(data) - 3, 4)})

    def test_the_picture_is_shown(self):
        """In a window, not in a file; a signal ends it in order."""
        self.assertEqual(self.colours(), 1)
        with subprocess.Popen([DEMO, FACES, FRONT], stdout=subprocess.PIPE, text=True, cwd=self.folder,
                              env=self.environment) as process:
            self.addCleanup(process.kill)
            while self.colours() < 1000:
                self.assertIsNone(process.poll(), 'it ended before a picture was shown')
                select.select([], [], [], 0.05)
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, 0, out)
        self.assertRegex(out, r'^[1-9][0-9]* frames, [0-9.]+ frames per second\n$')
        self.assertFalse(os.path.exists(self.at('camera_demo.mp4')))


if __name__ == '__main__':
    unittest.main()
