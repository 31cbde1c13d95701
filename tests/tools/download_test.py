#!/usr/bin/env python3
"""tools/dev setup and what goes wrong on the way: a connection that breaks, other bytes than the pinned ones. The package
index is a server of this test (standard library only; no network)."""
import hashlib
import http.server
import io
import os
import shutil
import subprocess
import tempfile
import threading
import unittest
import zipfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
NAMES = ('resnet50', 'squeezenet', 'shufflenet', 'densenet121')
WHEEL = 'onnx-1.22.0-cp311-cp311-manylinux_2_28_x86_64.whl'


def wheel():
    """The bytes of a package that holds what `light-models` takes from it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w') as archive:
        for name in NAMES:
            archive.writestr(f'onnx/backend/test/data/light/light_{name}.onnx', name * 5000)
        info = 'onnx-1.22.0.dist-info/'
        archive.writestr(info + 'METADATA', 'Metadata-Version: 2.1\nName: onnx\nVersion: 1.22.0\n')
        archive.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux_2_28_x86_64\n')
        archive.writestr(info + 'RECORD', '')
    return out.getvalue()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def content_pin():
    """What tools/dev.d/artifacts.sh computes over the models."""
    paths = sorted(f'light-models/light_{name}.onnx' for name in NAMES)
    words = {path: path[len('light-models/light_'):-len('.onnx')] for path in paths}
    return sha256(''.join(f'{sha256((words[path] * 5000).encode())}  {path}\n' for path in paths).encode())


class Index(http.server.BaseHTTPRequestHandler):
    """A package index with one package; the first `cuts` downloads end in the middle."""

    def do_GET(self):  # pylint: disable=invalid-name  # http.server's
        if not self.path.endswith('.whl'):
            return self.answer(f'<a href="/files/{WHEEL}">{WHEEL}</a>'.encode(), 'text/html')
        self.server.downloads += 1
        cut = self.server.downloads <= self.server.cuts
        return self.answer(self.server.package, 'application/octet-stream', cut)

    def answer(self, body, kind, cut=False):
        self.send_response(200)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body[:len(body) // 2] if cut else body)
        self.close_connection = True

    def log_message(self, *_):
        pass


class Download(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='sluice_download.')
        self.addCleanup(shutil.rmtree, self.folder)
        self.cache = os.path.join(self.folder, 'cache')
        self.package = wheel()
        self.index = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Index)
        self.index.package, self.index.cuts, self.index.downloads = self.package, 0, 0
        thread = threading.Thread(target=self.index.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.index.server_close)
        self.addCleanup(self.index.shutdown)
        os.mkdir(os.path.join(self.folder, 'tools'))
        shutil.copy(os.path.join(ROOT, 'tools/dev'), os.path.join(self.folder, 'tools'))
        shutil.copytree(os.path.join(ROOT, 'tools/dev.d'), os.path.join(self.folder, 'tools/dev.d'))
        self.pin(sha256(self.package), content_pin())

    def pin(self, archive, content):
        with open(os.path.join(self.folder, 'tools/dev.d/deps.lock'), 'w', encoding='utf-8') as lock:
            lock.write(f'archive light-models any onnx==1.22.0 manylinux_2_28_x86_64 {archive}\n'
                       f'content light-models any {content} exact\n')

    def setup_tool(self, code=0):
        """What `tools/dev setup --only light-models` says."""
        environment = {name: value for name, value in os.environ.items()
                       if not name.upper().startswith('PIP_') and not name.upper().endswith('_PROXY')}
        environment.update(SLUICE_CACHE=self.cache, PIP_CONFIG_FILE=os.devnull, PIP_NO_CACHE_DIR='1', PIP_RETRIES='0',
                           PIP_RESUME_RETRIES='0', PIP_DISABLE_PIP_VERSION_CHECK='1',
                           PIP_INDEX_URL=f'http://127.0.0.1:{self.index.server_port}/simple/')
        done = subprocess.run([os.path.join(self.folder, 'tools/dev'), 'setup', '--only', 'light-models'], capture_output=True,
                              text=True, timeout=120, check=False, env=environment)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def nothing_was_kept(self):
        self.assertFalse(os.path.exists(os.path.join(self.cache, 'light-models')))
        self.assertEqual(os.listdir(os.path.join(self.cache, '.scratch')), [])

    def the_models_are_there(self):
        for name in NAMES:
            with open(os.path.join(self.cache, f'light-models/light_{name}.onnx'), encoding='utf-8') as model:
                self.assertEqual(model.read(), name * 5000)

    def test_a_connection_that_breaks(self):
        self.index.cuts = 1
        self.assertIn('could not make light-models; run tools/dev setup again to go on from here', self.setup_tool(code=1))
        self.nothing_was_kept()
        self.setup_tool()
        self.the_models_are_there()
        self.assertEqual(self.index.downloads, 2)
        self.assertEqual(self.setup_tool(), '', 'what is whole is not asked for again')
        self.assertEqual(self.index.downloads, 2)

    def test_other_bytes_than_the_pinned_ones(self):
        self.index.package = self.package + b'x'
        self.assertIn('DO NOT MATCH THE HASHES', self.setup_tool(code=1))
        self.nothing_was_kept()

    def test_another_content_than_the_pinned_one(self):
        self.pin(sha256(self.package), sha256(b'something else'))
        self.assertIn(f'light-models is not what deps.lock pins: wanted {sha256(b"something else")}, got {content_pin()}',
                      self.setup_tool(code=1))
        self.nothing_was_kept()


if __name__ == '__main__':
    unittest.main()
