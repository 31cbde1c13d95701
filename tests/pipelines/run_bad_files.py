#!/usr/bin/env python3
"""Videos, models and pipeline files that are broken, hostile or something else.

  SLUICE_PROGRAM=build/release/bin/sluice run_bad_files.py [Video ...]
"""
import json
import os

from faults import BARS, FRONT, ROOT, Faults, main


class Video(Faults):
    """Files that are no videos, or broken ones."""

    def test_what_holds_no_picture(self):
        self.write('text.mp4', 'this is no video\n' * 100)
        self.write('empty.mp4', '')
        self.ffmpeg('-f', 'lavfi', '-i', 'sine=d=1', self.at('sound.mp4'))
        self.ffmpeg('-f', 'lavfi', '-i', 'testsrc2=s=64x64:d=1', '-frames:v', '5', self.at('whole.mp4'))
        with open(self.at('whole.mp4'), 'rb') as source, open(self.at('header.mp4'), 'wb') as target:
            target.write(source.read(40))
        os.mkdir(self.at('folder.mp4'))
        for name, words in (('text.mp4', 'it is cut off, broken or no video'), ('empty.mp4', 'is empty (0 bytes)'),
                            ('sound.mp4', 'holds no video'), ('header.mp4', 'it is cut off, broken or no video'),
                            ('folder.mp4', 'folder'), ('none.mp4', 'no such file')):
            with self.subTest(name=name):
                done = self.run_it(self.source_to(f'{{uri: {name}}}'), code=1)
                self.assertIn("node 'cam': '" + self.at(name) + "'", done.stderr)
                self.assertIn(words, done.stderr)
                self.assertEqual(self.report()['status'], 'failed')

    def test_damage_takes_numbers_and_is_counted(self):
        """Motion JPEG: every picture stands alone, so those that are overwritten are lost and no others."""
        self.ffmpeg('-f', 'lavfi', '-i', 'testsrc2=s=160x120:d=2:r=25', '-c:v', 'mjpeg', self.at('good.avi'))
        with open(self.at('good.avi'), 'rb') as source:
            data = bytearray(source.read())
        starts, at = [], data.find(b'\xff\xd8\xff')
        while at >= 0:
            starts.append(at)
            at = data.find(b'\xff\xd8\xff', at + 3)
        self.assertEqual(len(starts), 50)
        broken = (7, 20, 21)
        for number in broken:
            data[starts[number]:starts[number] + 400] = bytes(400)
        with open(self.at('bad.avi'), 'wb') as target:
            target.write(data)
        done = self.run_it(self.source_to('{uri: bad.avi}', 'type: json_sink, options: {path: "-"}'))
        frames = [json.loads(line)['frame'] for line in done.stdout.splitlines()]
        self.assertEqual(frames, [n for n in range(50) if n not in broken])
        source = self.report()['sources'][0]
        self.assertEqual((source['produced'], source['corrupt']), (47, 3))
        self.assertIn('counted as corrupt', done.stderr)

    def two_sizes(self, b_frames=0, pixels='yuv420p'):
        """An MPEG stream whose picture grows and shrinks: 30 frames of 64x64, 30 of 320x240, 30 of 64x64."""
        with open(self.at('sizes.ts'), 'wb') as target:
            for i, size in enumerate(('64x64', '320x240', '64x64')):
                part = self.at(f'part{i}.ts')
                self.ffmpeg('-f', 'lavfi', '-i', f'testsrc2=s={size}:r=30', '-frames:v', '30', '-c:v', 'libx264', '-bf',
                            str(b_frames), '-pix_fmt', pixels, '-output_ts_offset', str(i), part)
                with open(part, 'rb') as source:
                    target.write(source.read())
        return 'sizes.ts'

    def test_the_size_changes_in_mid_stream(self):
        name = self.two_sizes()
        for mode in ('lossless', 'realtime'):
            path = self.pipeline(f'id: cam, type: video_source, options: {{uri: {name}}}',
                                 'id: drawn, type: draw, inputs: {image: cam}, options: {show_fps: true}',
                                 'id: pre, type: preprocess, inputs: cam, options: {width: 32, height: 32}',
                                 'id: tensor, type: null_sink, inputs: pre',
                                 'id: lines, type: json_sink, inputs: {raw: cam, drawn: drawn}, options: {path: "-"}',
                                 'id: film, type: video_sink, inputs: drawn, options: {path: film.mp4, overwrite: true}',
                                 more=f'flow: {{mode: {mode}}}\n')
            pace = ['--pace', '30'] if mode == 'realtime' else []
            done = self.run_it(path, *pace)
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            if mode == 'lossless':
                self.assertEqual([line['frame'] for line in lines], list(range(90)))
            self.assertGreater(len(lines), 45)
            for line in lines:
                size = (320, 240) if 30 <= line['frame'] < 60 else (64, 64)
                for key in ('raw', 'drawn'):
                    self.assertEqual((line[key]['width'], line[key]['height']), size, line)
            report = self.report()
            self.assertEqual(report['sources'][0]['format_changes'], 2)
            self.assertEqual(report['sources'][0]['produced'], 90)
            self.assertIn("it is scaled to the file's 64x64", done.stderr)

    def test_pictures_of_the_old_size_that_come_after_the_change(self):
        """With B-frames the decoder tells the new size before it gives the last pictures of the old one."""
        for pixels in ('yuv420p', 'yuv420p10le'):
            path = self.pipeline(f'id: cam, type: video_source, options: {{uri: {self.two_sizes(2, pixels)}}}',
                                 'id: drawn, type: draw, inputs: {image: cam}, options: {show_fps: true}',
                                 'id: lines, type: json_sink, inputs: {raw: cam, drawn: drawn}, options: {path: "-"}')
            lines = [json.loads(line) for line in self.run_it(path).stdout.splitlines()]
            self.assertEqual([line['frame'] for line in lines], list(range(90)))
            for line in lines:
                size = (320, 240) if 30 <= line['frame'] < 60 else (64, 64)
                for key in ('raw', 'drawn'):
                    self.assertEqual((line[key]['width'], line[key]['height']), size, line)
            self.assertEqual(self.report()['sources'][0]['format_changes'], 2)

    def test_a_size_beyond_the_limit_ends_the_source(self):
        path = self.source_to(f'{{uri: {self.two_sizes()}, max_width: 200, max_height: 200}}')
        done = self.run_it(path, code=1)
        self.assertIn('the picture has 320x240 pixels, more than max_width x max_height (200x200) allow', done.stderr)
        report = self.report()
        self.assertEqual(report['status'], 'failed')
        self.assertEqual(report['sources'][0]['delivered'], 30)


class Models(Faults):
    """Models that cannot be used: exit code 3, at the place that names them."""

    NODES = ('id: cam, type: video_source, options: ' + BARS, 'id: pre, type: preprocess, inputs: cam, options: {model: face}',
             'id: face, type: infer, inputs: pre, options: {model: face}', 'id: out, type: null_sink, inputs: face')

    def refused(self, path, words, extra=''):
        pipeline = self.pipeline(*self.NODES, more=f'models: {{face: {{path: {path}{extra}}}}}\n')
        for command in ('check', 'plan', 'run'):
            done = self.sluice(command, pipeline)
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertEqual(done.stdout, '')
            self.assertIn(pipeline + ':7:', done.stderr)
            self.assertIn(words, done.stderr)

    def test_files_that_are_no_models(self):
        with open(FRONT, 'rb') as source:
            whole = source.read()
        self.write('empty.onnx', '')
        self.write('text.onnx', 'no model ' * 1000)
        with open(self.at('cut.onnx'), 'wb') as target:
            target.write(whole[:len(whole) // 2])
        with open(self.at('huge.onnx'), 'wb') as target:
            target.truncate(5 << 30)
        os.mkdir(self.at('folder.onnx'))
        for name, words in (('none.onnx', 'there is no file'), ('empty.onnx', 'empty'), ('text.onnx', 'is not an ONNX model'), ('cut.onnx', 'cut'),
                            ('huge.onnx', 'an ONNX file ends at 2 GiB'), ('folder.onnx', 'is a folder')):
            with self.subTest(name=name):
                self.refused(name, words)
        self.refused(FRONT, 'sha256', ', sha256: ' + 'ab' * 32)

    def test_a_free_dimension_must_be_fixed(self):
        with open(self.at('dynamic.onnx'), 'wb') as target:
            target.write(tiny_model(dims=(b'N', 3, b'H', b'W')))
        self.refused('dynamic.onnx', "'H'")

    def test_external_data_stays_in_its_folder(self):
        os.makedirs(self.at('models/sub'))
        self.write('secret.bin', 'x' * 64)
        os.symlink('../secret.bin', self.at('models/link.bin'))
        os.link(self.at('secret.bin'), self.at('models/hard.bin'))
        for location in ('../secret.bin', self.at('secret.bin'), 'link.bin', 'hard.bin', 'sub/../../secret.bin'):
            with self.subTest(location=location):
                with open(self.at('models/m.onnx'), 'wb') as target:
                    target.write(tiny_model(location=location.encode()))
                self.refused('models/m.onnx', 'external data')


def field(number, payload):
    """One length-delimited field of a protocol buffer."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def number_field(number, value):
    return varint(number << 3) + varint(value)


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def value_info(name, dims):
    shape = b''.join(field(1, field(2, d) if isinstance(d, bytes) else number_field(1, d)) for d in dims)
    return field(1, name) + field(2, field(1, number_field(1, 1) + field(2, shape)))


def tiny_model(dims=(1, 3, 8, 8), location=None):
    """y = x + w, in ONNX's protocol buffers (onnx.proto, IR version 8); w lies at `location` when given."""
    weight = number_field(1, 1) + number_field(2, 1) + field(8, b'w')
    if location is None:
        weight += field(9, bytes(4))
    else:
        weight += field(13, field(1, b'location') + field(2, location)) + number_field(14, 1)
    node = field(1, b'x') + field(1, b'w') + field(2, b'y') + field(4, b'Add')
    graph = field(1, node) + field(2, b'g') + field(5, weight) + field(11, value_info(b'x', dims)) + field(12, value_info(b'y', dims))
    return number_field(1, 8) + field(7, graph) + field(8, number_field(2, 13))


class Yaml(Faults):
    """Hostile files: exit code 2, with a place, at once."""

    GOOD = 'version: 1\nnodes:\n  - {id: a, type: video_source, options: {uri: "test:bars"}}\n  - {id: s, type: null_sink, inputs: a}\n'

    def test_hostile_files(self):
        bomb = 'version: 1\nx0: &x0 [1, 1]\n' + ''.join(f'x{i}: &x{i} [{", ".join([f"*x{i - 1}"] * 9)}]\n' for i in range(1, 12))
        for name, text, words in (
                ('bomb', bomb, 'more than 10,000 values'),
                ('cycle', 'version: 1\nnodes: &n\n  - *n\n', '(a cycle)'),
                ('deep', 'version: 1\nnodes: ' + '[' * 100000, 'nested deeper than 64 levels'),
                ('nul', self.GOOD.replace('null', 'nu\0ll'), 'a NUL byte'),
                ('huge', self.GOOD + '#' * (1 << 20), 'more than 262144 bytes'),
                ('many', self.GOOD + 'x: [' + '1, ' * 20000 + '1]\n', 'more than 10,000 values'),
                ('merge', self.GOOD.replace('{uri', '{<<: {loop: true}, uri'), "merge keys ('<<') are not allowed"),
                ('documents', self.GOOD + '---\n' + self.GOOD, 'a second document starts here'),
                ('nan', self.GOOD.replace('{uri', '{timeout_ms: .nan, uri'), 'only finite numbers are allowed'),
                ('unset', self.GOOD.replace('test:bars', '${SLUICE_NO_SUCH}'), "'SLUICE_NO_SUCH' is not set"),
                ('open', self.GOOD.replace('"test:bars"', '"test:bars'), 'error: '),
                ('duplicate', self.GOOD + 'version: 1\n', "key 'version' is written twice"),
                ('nothing', '', 'there is nothing in it')):
            with self.subTest(name=name):
                path = self.write(name + '.yaml', text)
                for command in ('check', 'run'):
                    done = self.sluice(command, path)
                    self.assertEqual(done.returncode, 2, done.stderr[:2000])
                    self.assertEqual(done.stdout, '')
                    self.assertIn(path + ':', done.stderr)
                    self.assertIn(words, done.stderr)

    def test_bytes_that_are_no_text(self):
        for data in (self.GOOD.encode('utf-16'), self.GOOD.encode() + b'# \xff\n', os.urandom(4096)):
            with open(self.at('bytes.yaml'), 'wb') as target:
                target.write(data)
            self.assertEqual(self.sluice('check', self.at('bytes.yaml')).returncode, 2)


class Json(Faults):
    """Every file of JSON that a command reads: brackets in brackets without end, in any place of it."""

    KEYS = ('activation_encodings', 'annotations', 'frames', 'images', 'inference', 'nodes', 'param_encodings',
            'ranges', 'runs', 'selection', 'sources', 't_s', 'windows')

    def test_nested_without_end(self):
        levels = 200000
        for name, nested in (('lists', '[' * levels + ']' * levels), ('maps', '{"a":' * levels + '1' + '}' * levels)):
            path = self.write(name + '.json', '{"version": 1, ' + ', '.join(f'"{key}": {nested}' for key in self.KEYS) + '}')
            hello, simulated = self.shipped('hello'), (self.shipped('face_detect'), '--device', 'sim:qcs6490')
            quantize = ('quantize', FRONT, '--data', os.path.join(ROOT, 'data/dlib-faces'), '-o', self.at('out.onnx'))
            for words in (('explain', path), ('thermal', '--compare', path, path), ('fit', path, '-o', self.at('out.yaml')),
                          ('run', hello, '--device', 'trace:' + path), ('run', *simulated, '--timings', path),
                          ('thermal', *simulated, '--duration', '10s', '--resume', '--json', path),
                          ('eval', simulated[0], '--labels', path),
                          (*quantize, '--encodings', path), (*quantize, '--ranges', path)):
                with self.subTest(name=name, words=words):
                    done = self.sluice(*words)
                    self.assertEqual(done.returncode, 2, done.stderr[:2000])
                    self.assertIn(path, done.stderr)


if __name__ == '__main__':
    main()
