#!/usr/bin/env python3
"""Network cameras that go wrong.

  SLUICE_PROGRAM=build/release/bin/sluice run_camera_faults.py [Camera.test_connect ...]

The cameras are served by rtsp_camera.py (Debian's packages, through `tools/dev setup`).
"""
import json
import os
import signal
import subprocess

from faults import Faults, main
from run_pipelines import lost

HERE = os.path.dirname(os.path.abspath(__file__))


class Camera(Faults):
    """A network camera that stalls, disconnects and comes back; another source beside it goes on unharmed."""

    def camera(self, *words):
        # pylint: disable-next=consider-using-with  # stopped below, and by the tests
        process = subprocess.Popen([os.path.join(HERE, 'rtsp_camera.py'), *words], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.stop_camera, process)
        port = process.stdout.readline().strip()
        self.assertTrue(port, 'the camera does not start')
        return process, port

    @staticmethod
    def stop_camera(process):
        process.kill()
        process.wait()
        process.stdout.close()

    def with_another(self, port, options):
        return self.pipeline(
            f'id: cam, type: video_source, options: {{uri: "rtsp://ann:secret@127.0.0.1:{port}/cam", {options}}}',
            'id: other, type: video_source, options: {uri: "test:bars", width: 64, height: 64, fps: 30, pace: realtime}',
            'id: out, type: json_sink, inputs: cam, options: {path: "-"}', 'id: rest, type: null_sink, inputs: other')

    @staticmethod
    def next_line(process):
        return json.loads(process.stdout.readline())

    def lines(self, process, count):
        return [self.next_line(process) for _ in range(count)]

    def others_unharmed(self, report):
        other = report['sources'][1]
        self.assertEqual(other['id'], 'other')
        self.assertNotIn('error', other)
        self.assertGreater(other['delivered'], 0)
        self.assertEqual(other['produced'], other['delivered'] + lost(other))

    def test_connect(self):
        _, port = self.camera('0', '320x240', 'ann:secret')
        path = self.source_to(f'{{uri: "rtsp://ann:secret@127.0.0.1:{port}/cam"}}', 'type: json_sink, options: {path: "-"}')
        done = self.run_it(path, '--frames', '20')
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual({(line['image']['width'], line['image']['height']) for line in lines}, {(320, 240)})
        self.assertEqual(self.report()['sources'][0]['produced'], 20)
        self.assertNotIn('secret', done.stderr + self.read('report.json'))

    def test_wrong_address_or_password(self):
        _, port = self.camera('0', '320x240', 'ann:secret')
        for uri, words in ((f'rtsp://ann:guess@127.0.0.1:{port}/cam', '401'), (f'rtsp://ann:secret@127.0.0.1:{port}/none', '404'),
                           ('rtsp://ann:secret@127.0.0.1:1/cam', 'Connection refused')):
            done = self.run_it(self.source_to(f'{{uri: "{uri}"}}'), code=1)
            self.assertIn(words, done.stderr)
            self.assertIn('ann:***@127.0.0.1', done.stderr)
            for text in (done.stderr, self.read('report.json')):
                self.assertNotIn('guess', text)
                self.assertNotIn('secret', text)

    def test_a_disconnect_is_mended_and_counted(self):
        camera, port = self.camera('0', '320x240', 'ann:secret')
        process = self.start(self.with_another(port, 'timeout_ms: 5000'), stdout=subprocess.PIPE)
        self.lines(process, 5)
        self.stop_camera(camera)
        self.camera(port, '160x120', 'ann:secret')
        while self.next_line(process)['image']['width'] != 160:
            pass
        process.send_signal(signal.SIGINT)
        _, errors = self.ended(process, 0)
        report = self.report()
        cam = report['sources'][0]
        self.assertGreaterEqual(cam['reconnects'], 1)
        self.assertEqual(cam['format_changes'], 1)
        self.others_unharmed(report)
        self.assertIn('connecting again', errors)
        self.assertNotIn('secret', errors + self.read('report.json'))

    def test_a_stall_times_out_and_is_mended(self):
        camera, port = self.camera('0', '320x240', 'ann:secret')
        process = self.start(self.with_another(port, 'timeout_ms: 1000'), stdout=subprocess.PIPE)
        self.lines(process, 5)
        camera.send_signal(signal.SIGSTOP)
        said = process.stderr.readline()
        while 'connecting again' not in said:
            said = process.stderr.readline()
        self.assertIn('did not answer within 1000 ms', said)
        camera.send_signal(signal.SIGCONT)
        first = self.next_line(process)['frame']
        self.assertGreater(self.next_line(process)['frame'], first)
        process.send_signal(signal.SIGINT)
        self.ended(process, 0)
        report = self.report()
        self.assertGreaterEqual(report['sources'][0]['reconnects'], 1)
        self.others_unharmed(report)

    def test_without_reconnect_a_disconnect_ends_the_source_by_error(self):
        camera, port = self.camera('0', '320x240', 'ann:secret')
        process = self.start(self.with_another(port, 'timeout_ms: 2000, reconnect: false'), '--duration', '8s', stdout=subprocess.PIPE)
        self.lines(process, 5)
        camera.send_signal(signal.SIGSTOP)
        _, errors = self.ended(process, 1)
        self.assertIn("node 'cam': 'rtsp://ann:***@127.0.0.1", errors)
        report = self.report()
        self.assertEqual(report['status'], 'failed')
        self.others_unharmed(report)
        self.assertGreater(report['sources'][1]['delivered'], 100, 'the run goes on while one source lives')

    def test_a_signal_ends_the_wait_for_a_camera_that_went_away(self):
        camera, port = self.camera('0', '320x240', 'ann:secret')
        process = self.start(self.with_another(port, 'timeout_ms: 1000'), stdout=subprocess.PIPE)
        self.lines(process, 5)
        self.stop_camera(camera)
        while 'connecting again' not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        self.ended(process, 0)
        self.assertEqual(self.report()['status'], 'stopped')


if __name__ == '__main__':
    main()
