#!/usr/bin/env python3
"""`sluice thermal` as a process: its page in a real browser, interruptions, places and files that cannot be used.

  SLUICE_PROGRAM=build/release/bin/sluice SLUICE_CHROMIUM=/usr/bin/chromium run_thermal.py [Page ...]
"""
import html
import json
import os
import re
import signal
import struct
import subprocess
import unittest
import zlib

from run_pipelines import PROGRAM, ROOT, TIMEOUT_S, Program

CHROMIUM = os.environ.get('SLUICE_CHROMIUM', 'chromium')
SIMULATED = ('--device', 'sim:qcs6490', '--ambient', '35')


class Thermal(Program):
    """`sluice thermal` of the shipped pipeline."""

    def thermal(self, *words, code=0, **more):
        done = self.sluice('thermal', self.shipped('thermal_two_models'), *words, **more)
        self.assertEqual(done.returncode, code, done.stderr)
        return done


def picture(path):
    """(width, height, rows of RGB or RGBA bytes, bytes per pixel) of a PNG with 8 bits and no interlacing."""
    with open(path, 'rb') as source:
        data = source.read()
    at, packed, header = 8, b'', None
    while at < len(data):
        size, kind = struct.unpack('>I4s', data[at:at + 8])
        if kind == b'IHDR':
            header = struct.unpack('>IIBBBBB', data[at + 8:at + 8 + size])
        if kind == b'IDAT':
            packed += data[at + 8:at + 8 + size]
        at += 12 + size
    width, height, bits, color = header[:4]
    assert bits == 8 and color in (2, 6) and header[6] == 0, header
    step = 3 if color == 2 else 4
    return width, height, unfiltered(zlib.decompress(packed), width * step, height, step), step


def paeth(left, up, corner):
    guess = left + up - corner
    near = [(abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner)]
    return min(near)[2]


def unfiltered(raw, length, height, step):
    rows, before = [], bytes(length)
    for y in range(height):
        kind, row = raw[y * (length + 1)], bytearray(raw[y * (length + 1) + 1:(y + 1) * (length + 1)])
        for i in range(length) if kind else ():
            left, corner = (row[i - step], before[i - step]) if i >= step else (0, 0)
            row[i] = (row[i] + (0, left, before[i], (left + before[i]) // 2, paeth(left, before[i], corner))[kind]) & 255
        rows.append(bytes(row))
        before = row
    return rows


class Page(Thermal):
    """The HTML report in Chromium: it asks the network for nothing and complains of nothing, light and dark."""

    def chromium(self, *words):
        profile = self.at('profile')
        done = subprocess.run(
            [CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
             '--disable-background-networking', '--disable-component-update', '--disable-sync', '--hide-scrollbars',
             '--enable-logging=stderr', '--user-data-dir=' + profile, *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT_S, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn('CONSOLE', done.stderr, 'the page complained')
        return done

    @staticmethod
    def asked_for(net_log):
        """Addresses that the page asked for; the browser's own requests have no initiator."""
        with open(net_log, encoding='utf-8', errors='replace') as source:
            events = [line for line in source if '"initiator":' in line and '"initiator":"not an origin"' not in line]
        return [url for line in events for url in re.findall(r'"url":"(\w+://[^"]*)"', line)
                if not url.startswith('file:')]

    def test_a_page_that_asks_for_something_is_found(self):
        page = self.write('bad.html', '<img src="http://127.0.0.1:9/x.png">')
        self.chromium('--dump-dom', '--log-net-log=' + self.at('net.json'), 'file://' + page)
        self.assertIn('http://127.0.0.1:9/x.png', self.asked_for(self.at('net.json')))

    def shot(self, page, name, *words):
        self.chromium('--window-size=900,700', '--screenshot=' + self.at(name), *words, page)
        return picture(self.at(name))

    def test_renders_alone_light_and_dark(self):
        self.thermal(*SIMULATED, '--duration', '10m', '--report', self.at('page.html'), '--policies', 'fixed,sustained')
        page = 'file://' + self.at('page.html')
        net_log = self.at('net.json')
        dom = self.chromium('--dump-dom', '--log-net-log=' + net_log, page).stdout
        self.assertIn('SIMULATED', dom)
        self.assertGreaterEqual(dom.count('<svg'), 12, 'plots')
        self.assertIn('<title', dom, 'reasons on hover')
        self.assertEqual(self.asked_for(net_log), [])
        light = self.shot(page, 'light.png', '--blink-settings=preferredColorScheme=1')
        dark = self.shot(page, 'dark.png', '--blink-settings=preferredColorScheme=0')
        for (width, height, rows, step), bright in ((light, True), (dark, False)):
            self.assertEqual((width, height), (900, 700))
            corner = rows[-1][:3]
            self.assertEqual(sum(corner) > 384, bright, (bright, tuple(corner)))
            colors = {rows[y][x * step:x * step + 3] for y in range(0, height, 2) for x in range(0, width, 2)}
            self.assertGreater(len(colors), 12, 'text and plots, not an empty page')

    def test_prints_black_on_white_also_where_dark_is_preferred(self):
        self.thermal(*SIMULATED, '--duration', '2m', '--report', self.at('page.html'))
        self.chromium('--blink-settings=preferredColorScheme=0', '--print-to-pdf=' + self.at('page.pdf'),
                      'file://' + self.at('page.html'))
        with open(self.at('page.pdf'), 'rb') as source:
            streams = re.findall(rb'/FlateDecode.{0,200}?stream\r?\n(.*?)endstream', source.read(), re.S)
        self.assertTrue(streams)
        colors = set()
        for stream in streams:
            text = zlib.decompressobj().decompress(stream)
            colors.update(tuple(round(float(one) * 255) for one in color)
                          for color in re.findall(rb'([\d.]+) ([\d.]+) ([\d.]+) rg', text))
        self.assertIn((0, 0, 0), colors)
        self.assertNotIn((0x14, 0x17, 0x1a), colors, 'the dark page')

    def test_a_comparison_renders(self):
        for name, ambient in (('a', '15'), ('b', '35')):
            self.thermal('--device', 'sim:qcs6490', '--ambient', ambient, '--duration', '3m', '--json', self.at(name))
        done = self.sluice('thermal', '--compare', self.at('a'), self.at('b'), '--report', self.at('both.html'))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count('simulated qcs6490'), 2, done.stdout)
        dom = self.chromium('--dump-dom', 'file://' + self.at('both.html')).stdout
        self.assertIn('A fixed', dom)
        self.assertIn('B fixed', dom)
        self.assertEqual(dom.count('>SIMULATED<'), 2)
        self.assertIn('thermal_two_models on simulated qcs6490 at 35 degrees C', dom)


class Figures(Thermal):
    """The page says what the JSON says: each window on hover, each result in the table."""

    @staticmethod
    def hovers(figure):
        return [html.unescape(text).splitlines() for text in re.findall('<title>(.*?)</title>', figure, re.S)]

    def said(self, lines, name):
        """The numbers that the line of `name` has; none: there is no such line."""
        found = [line for line in lines if line.startswith(name + ': ')]
        self.assertLessEqual(len(found), 1, lines)
        return [float(n) for n in re.findall(r'-?\d[\d.e+-]*', found[0][len(name) + 2:])] if found else None

    def same(self, lines, name, values, rounded=0):
        """The page has these numbers under `name`, which the JSON may have rounded by so much."""
        said = self.said(lines, name)
        if None in values:
            self.assertIsNone(said, lines)
            return
        for one, value in zip(said, values):
            self.assertAlmostEqual(one, value, delta=rounded + 1e-5 * max(1, abs(value)))

    def test_the_page_says_what_the_json_says(self):
        self.assertEqual(self.reasons_on_the_page(), set())
        ladder = ('--set', 'near.degrade=[{rate_hz: 20}]', '--set', 'near.max_temperature_c=60')
        self.assertEqual(self.reasons_on_the_page(*ladder), {'filtered'})

    def reasons_on_the_page(self, *words):
        """Holds the page of a test against its JSON; returns the reasons of all drops."""
        self.thermal(*SIMULATED, '--pace', 'max', '--duration', '10m', '--policies', 'fixed,sustained', *words,
                     '--report', self.at('page.html'), '--json', self.at('result.json'))
        runs = json.loads(self.read('result.json'))['runs']
        figures = re.findall('<figure>(.*?)</figure>', self.read('page.html'), re.S)
        self.assertEqual(len(figures), 2 + 5 * len(runs))
        rates, latencies = self.hovers(figures[0]), self.hovers(figures[1])
        for number, run in enumerate(runs):
            heat, power, energy, drops, band = (self.hovers(figure) for figure in figures[2 + 5 * number:7 + 5 * number])
            reasons = {reason for window in run['windows'] for reason in window['dropped']}
            self.assertEqual(len(heat), len(run['windows']))
            for i, window in enumerate(run['windows']):
                self.same(rates[i], run['policy'], [window['fps']])
                self.same(latencies[i], run['policy'], [window['latency_ms']['p50'], window['latency_ms']['p95']])
                for role, celsius in window['temperature_c'].items():
                    self.same(heat[i], role, [celsius])
                self.same(power[i], 'power', [window['power_w']])
                joules = window['energy_per_frame_j']
                self.same(energy[i], 'energy', [joules and 1000 * joules], 5e-4)
                for reason in reasons:
                    self.same(drops[i], reason, [window['dropped'].get(reason, 0)])
                if not reasons:
                    self.same(drops[i], 'dropped', [0])
            band = '\n'.join('\n'.join(lines) for lines in band)
            for window in run['windows']:
                for reason in window['reason'].values() if window['phase'] == 'load' else ():
                    self.assertIn(reason, band)
        rows = re.findall('<tr><td>(.*?)</tr>', self.read('page.html'))
        for row, run in zip(rows, runs):
            cells = row.replace('</td>', '').split('<td>')
            self.assertEqual(cells[0], run['policy'])
            for cell, value in ((cells[1], run['peak_fps']), (cells[2], run['sustained_fps']),
                                (cells[3], 100 * run['stability']), (cells[5], run['worst_fps']),
                                (cells[6], run['max_p95_ms']), (cells[7], 1000 * run['energy_per_frame_j'])):
                self.assertAlmostEqual(float(cell.split()[0]), value, delta=0.051)
            self.assertEqual(int(cells[8]), run['switches'])
        return {reason for run in runs for window in run['windows'] for reason in window['dropped']}


class Real(Thermal):
    """Policies side by side on this machine."""

    def test_each_policy_decides_for_itself(self):
        done = self.sluice('thermal', self.shipped('adaptive'), '--policies', 'fixed,latency', '--duration', '2s',
                           '--cool-down', '0', '--recovery', '0', '--json', self.at('result.json'))
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(self.read('result.json'))
        self.assertFalse(result['simulated'])
        fixed, latency = result['runs']
        self.assertEqual((fixed['policy'], latency['policy']), ('fixed', 'latency'))
        variants = [{window['variant']['face'] for window in run['windows']} for run in (fixed, latency)]
        self.assertEqual(variants, [{None}, {'small'}], 'a sixth of the arithmetic')


class Loaded(Thermal):
    """A real test of eight seconds that can be interrupted at a frame."""

    def write_pipeline(self):
        """A camera of 100 frames per second without an inference engine, whose lines go into a pipe."""
        os.mkfifo(self.at('lines'))
        self.write('loaded.yaml', f'''version: 1
name: loaded
models:
  face: {{path: {ROOT}/data/models/face_detection_front_128x128.onnx}}
nodes:
  - {{id: camera, type: video_source, options: {{uri: 'test:bars', width: 64, height: 64, pace: 100}}}}
  - {{id: pre, type: preprocess, inputs: camera, options: {{model: face, mean: 127.5, std: 127.5}}}}
  - {{id: face, type: infer, inputs: pre, options: {{model: face, backends: [fake], fake: {{latency_ms: 9}}}}}}
  - {{id: boxes, type: detect, inputs: face, options: {{decoder: blazeface, labels: [face]}}}}
  - {{id: out, type: json_sink, inputs: boxes, options: {{path: {self.at('lines')}, overwrite: true}}}}
''')
        checked = self.sluice('check', self.at('loaded.yaml'))
        self.assertEqual(checked.returncode, 0, checked.stderr)

    def start(self, *words, cool_down='0', env=None):
        # pylint: disable-next=consider-using-with  # the callers wait for it
        process = subprocess.Popen([PROGRAM, 'thermal', self.at('loaded.yaml'), '--json', self.at('result.json'),
                                    '--duration', '8s', '--cool-down', cool_down, '--recovery', '0', *words],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=env)
        self.addCleanup(process.kill)
        return process

    def interrupted_after(self, process, lines):
        """Interrupts once that many frames have come out; returns (stdout, stderr)."""
        with open(self.at('lines'), encoding='utf-8') as pipe:
            for number, _ in enumerate(pipe):
                if number == lines:
                    process.send_signal(signal.SIGINT)
        return process.communicate(timeout=TIMEOUT_S)

    def windows_kept(self):
        """Interrupts a test in its load; returns the windows of that."""
        process = self.start()
        _, errors = self.interrupted_after(process, 350)
        self.assertEqual(process.returncode, 0, errors)
        return self.result()['windows']

    def result(self):
        return json.loads(self.read('result.json'))['runs'][0]


class Interrupted(Loaded):
    """Ctrl-C: what there is has been written, and a resumed test loses no window."""

    def test_in_the_load_and_resumed(self):
        self.write_pipeline()
        process = self.start()
        out, errors = self.interrupted_after(process, 350)
        self.assertEqual(process.returncode, 0, errors)
        self.assertIn('interrupted; what there is has been written, --resume goes on', errors)
        self.assertIn('fixed (incomplete)', out)
        first = json.loads(self.read('result.json'))['runs'][0]
        self.assertFalse(first['complete'])
        kept = [w for w in first['windows'] if w['phase'] == 'load']
        self.assertGreaterEqual(len(kept), 2)
        process = self.start('--resume')
        out, errors = self.interrupted_after(process, 1 << 30)
        self.assertEqual(process.returncode, 0, errors)
        whole = json.loads(self.read('result.json'))['runs'][0]
        self.assertTrue(whole['complete'])
        self.assertEqual(whole['windows'][:len(kept)], kept, 'no window is lost')
        self.assertGreaterEqual(whole['windows'][-1]['t_s'], 7.4)

    def test_before_the_first_window(self):
        self.write_pipeline()
        process = self.start()
        _, errors = self.interrupted_after(process, 0)
        self.assertEqual(process.returncode, 0, errors)
        self.assertFalse(json.loads(self.read('result.json'))['runs'][0]['complete'])


class CoolDown(Loaded):
    """Ctrl-C while the device, of which a fixture stands for the sensors, is left to cool before the load."""

    def in_the_cool_down(self, *words):
        """Interrupts a test that has looked at the temperature a few times; it is steady after sixty."""
        process = self.start(*words, cool_down='10m', env={
            **os.environ, 'LD_PRELOAD': os.environ['SLUICE_FIXTURE_SYSFS'], 'FIXTURE_SYSFS': self.at('sys'),
            'FIXTURE_LOOKS': self.at('looks')})
        with open(self.at('looks'), 'rb') as looks:
            for _ in range(6):
                self.assertEqual(looks.read(1), b't')
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, 0, errors)
        self.assertIn('interrupted; what there is has been written, --resume goes on', errors)
        run = self.result()
        self.assertFalse(run['complete'])
        self.assertEqual(run['cool_down'], 'interrupted')
        return run

    def setUp(self):
        super().setUp()
        zone = self.at('sys/class/thermal/thermal_zone0')
        os.makedirs(zone)
        self.write(zone + '/type', 'nsp0-thermal\n')
        self.write(zone + '/temp', '41000\n')
        os.mkfifo(self.at('looks'))
        self.write_pipeline()

    def test_before_anything_has_run(self):
        self.assertEqual(self.in_the_cool_down()['windows'], [])

    def test_of_a_resumed_test_loses_no_window(self):
        kept = self.windows_kept()
        self.assertGreaterEqual(len(kept), 2)
        self.assertEqual(self.in_the_cool_down('--resume')['windows'], kept)
        process = self.start('--resume')
        _, errors = self.interrupted_after(process, 1 << 30)
        self.assertEqual(process.returncode, 0, errors)
        whole = self.result()
        self.assertTrue(whole['complete'])
        loaded = [window for window in kept if window['phase'] == 'load']
        self.assertEqual(whole['windows'][:len(loaded)], loaded)


class Refused(Thermal):
    """Places that cannot be written and files that are not what they should be: one error each, and no load."""

    def refused(self, words, text, code=1):
        done = self.sluice('thermal', self.shipped('thermal_two_models'), *SIMULATED, '--duration', '1m', *words)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stdout, '')
        self.assertIn(text, done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)

    def test_places(self):
        for option in ('--report', '--json', '--csv'):
            self.refused((option, self.at('no/such/file')), f"{option}: '{self.at('no/such/file')}' cannot be written: No such")
            self.refused((option, self.folder), f"{option}: '{self.folder}' cannot be written: Is a directory")
        self.write('file', '')
        self.refused(('--json', self.at('file/result')), f"--json: '{self.at('file/result')}' cannot be written: Not a directory")
        for option in ('--report', '--csv'):
            self.refused((option, '-'), f"{option} is '-', but what it writes is nothing for standard output", code=2)
        self.refused(('--csv', self.at('x'), '--json', self.at('./x')), '--json and --csv name the same file', code=2)
        self.refused(('--json', '-', '--resume'), "but --json is '-'", code=2)
        self.assertEqual(self.read('file'), '')
        self.assertEqual(os.listdir(self.folder), ['file'])

    def test_a_result_of_an_older_version_goes_on_and_is_said(self):
        words = ('--duration', '1m', '--json', self.at('old.json'))
        self.thermal(*SIMULATED, *words)
        old = json.loads(self.read('old.json'))
        del old['pipeline_sha256'], old['profile_sha256']
        self.write('old.json', json.dumps(old))
        self.assertIn('of an older version', self.thermal(*SIMULATED, *words, '--resume').stderr)
        self.assertEqual(self.thermal(*SIMULATED, *words, '--resume').stderr, '', 'it has been written anew')

    def test_json_on_standard_output_is_all_there(self):
        done = self.thermal(*SIMULATED, '--duration', '1m', '--json', '-')
        self.assertEqual(json.loads(done.stdout)['device'], 'qcs6490')

    def test_a_full_disk(self):
        if not os.path.exists('/dev/full'):
            self.skipTest('no /dev/full')
        with open('/dev/full', 'w', encoding='utf-8') as full:
            done = self.thermal(*SIMULATED, '--duration', '1m', code=1, stdout=full)
        self.assertIn('No space left', done.stderr)

    def test_profiles(self):
        with open(os.path.join(ROOT, 'profiles/qcs6490.yaml'), encoding='utf-8') as source:
            text = source.read()
        for name, broken, says in (
                ('unit', text.replace('limit_c: 42,', 'limit_c: 42000,'), '42000'),
                ('cut', text[:len(text) // 2], 'cut.yaml:'),
                ('reference', text.replace('{node: case, limit_c: 42,', '{node: box, limit_c: 42,'), 'box'),
                ('empty', '', 'empty.yaml'), ('binary', '\0\1\2', 'binary.yaml')):
            with self.subTest(name=name):
                path = self.write(name + '.yaml', broken)
                done = self.sluice('thermal', self.shipped('thermal_two_models'), '--device', 'sim:' + path)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(says, done.stderr)

    def test_times_of_another_pipeline(self):
        other = self.write('other.json', '{"nodes": [{"id": "other", "busy_ms": {"p50": 1}}]}')
        self.refused(('--timings', other), 'has times of no node of this pipeline', code=2)

    def test_times_that_nobody_measured(self):
        made = self.at('simulated.json')
        done = self.sluice('run', self.shipped('thermal_two_models'), *SIMULATED, '--frames', '60', '--report', made)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.refused(('--timings', made), 'is the report of a simulated run', code=2)

    def test_forced_backends_are_named_as_they_were_written(self):
        for written, says in (('faces=gpu', "--backend 'faces=gpu' names a node that runs no model, allowed: near, far"),
                              ('nera=gpu', "--backend 'nera=gpu' names no node, allowed: near, far"),
                              ('near=gpo', "--backend 'near=gpo' names no backend, allowed: htp, gpu, cpu, fake; did you mean 'gpu'?")):
            with self.subTest(written=written):
                self.refused(('--backend', written), f"{self.shipped('thermal_two_models')}: error: {says}", code=2)

    def test_results(self):
        good = self.at('good.json')
        self.thermal(*SIMULATED, '--duration', '1m', '--json', good)
        for name, text in (('cut', self.read('good.json')[:1000]), ('other', '{"version": 1}'), ('empty', '')):
            with self.subTest(name=name):
                done = self.sluice('thermal', '--compare', good, self.write(name, text))
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(self.at(name), done.stderr)
        self.refused(('--resume', '--json', self.write('cut.json', '{')), 'cut.json', code=2)

    def test_thresholds(self):
        hot, short = ('--pace', 'max', '--duration', '10m'), ('--duration', '2m')
        for words, text in (((*hot, '--min-stability', '0.9'), '--min-stability'), ((*short, '--min-fps', '1e6'), '--min-fps'),
                            ((*short, '--max-p95-ms', '0.01'), '--max-p95-ms'),
                            ((*short, '--max-skin-c', '36'), '--max-skin-c')):
            done = self.thermal(*SIMULATED, *words, code=4)
            self.assertIn(text, done.stderr)
        self.thermal(*SIMULATED, *short, '--min-fps', '1', '--max-skin-c', '90', '--repeat', '2')


if __name__ == '__main__':
    unittest.main()
