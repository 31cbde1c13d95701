#!/usr/bin/env python3
"""An ONNX Runtime that is installed is used: the build takes its headers and library, and tools/dev setup fetches no other."""
import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
PROJECT = """cmake_minimum_required(VERSION 3.22)
project(finds LANGUAGES CXX)
include(cmake/dependencies.cmake)
message(STATUS "headers ${ONNXRUNTIME_INCLUDE} library ${ONNXRUNTIME_LIBRARY}")
"""


class SystemOnnxRuntime(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='sluice_system_ort.')
        self.addCleanup(shutil.rmtree, self.folder)
        self.fetched = self.install('cache/onnxruntime', 'include')

    def at(self, *names):
        return os.path.join(self.folder, *names)

    def put(self, name, text=''):
        os.makedirs(os.path.dirname(self.at(name)), exist_ok=True)
        with open(self.at(name), 'w', encoding='utf-8') as target:
            target.write(text)

    def install(self, prefix, headers):
        """Where a build finds it: (headers, library)."""
        self.put(f'{prefix}/{headers}/onnxruntime_cxx_api.h')
        self.put(f'{prefix}/lib/libonnxruntime.so')
        return self.at(prefix, headers), self.at(prefix, 'lib/libonnxruntime.so')

    def describe(self, prefix, version):
        """As a distribution's package does, for pkg-config."""
        self.put(f'{prefix}/lib/pkgconfig/libonnxruntime.pc',
                 f'Name: onnxruntime\nDescription: of a test\nVersion: {version}\nprefix={self.at(prefix)}\n'
                 'libdir=${prefix}/lib\nincludedir=${prefix}/include\nLibs: -L${libdir} -lonnxruntime\nCflags: -I${includedir}\n')

    def environment(self, **more):
        left_out = ('ONNXRUNTIME_ROOT', 'PKG_CONFIG_PATH')
        kept = {name: value for name, value in os.environ.items() if name not in left_out}
        return dict(kept, SLUICE_CACHE=self.at('cache'), **more)

    def found(self, *words, **more):
        """(headers, library) that the build takes."""
        if not os.path.exists(self.at('project')):
            self.put('project/CMakeLists.txt', PROJECT)
            os.symlink(os.path.join(ROOT, 'cmake'), self.at('project/cmake'))
        done = subprocess.run(['cmake', '-S', self.at('project'), '-B', self.at('build'), '-U', '*ONNXRUNTIME*', *words],
                              capture_output=True, text=True, timeout=240, check=False, env=self.environment(**more))
        self.assertEqual(done.returncode, 0, done.stderr)
        line = next(line for line in done.stdout.splitlines() if line.startswith('-- headers '))
        return tuple(line[len('-- headers '):].split(' library '))

    def test_the_build_takes_it(self):
        pointed_at = self.install('opt', 'include/onnxruntime')
        packaged = self.install('usr', 'include/onnxruntime/core/session')
        packages = {'PKG_CONFIG_PATH': self.at('usr/lib/pkgconfig')}
        self.describe('usr', '1.29.0')
        self.assertEqual(self.found(**packages), packaged)
        self.assertEqual(self.found(ONNXRUNTIME_ROOT=self.at('opt'), **packages), pointed_at)
        self.assertEqual(self.found('-DONNXRUNTIME_ROOT=' + self.at('opt'), **packages), pointed_at)
        self.describe('usr', '1.28.2')
        self.assertEqual(self.found(**packages), self.fetched, 'one that is too old is left alone')

    def setup_tool(self, **more):
        return subprocess.run([self.at('checkout/tools/dev'), 'setup'], capture_output=True, text=True, timeout=240, check=False,
                              env=self.environment(**more))

    def test_setup_fetches_no_other(self):
        """In a cache that has all but ONNX Runtime, with clients that fail."""
        os.makedirs(self.at('checkout/tools'))
        shutil.copy(os.path.join(ROOT, 'tools/dev'), self.at('checkout/tools'))
        shutil.copytree(os.path.join(ROOT, 'tools/dev.d'), self.at('checkout/tools/dev.d'))
        self.put('checkout/tools/dev.d/packages.sh', 'packages_build=()\ninstall_packages() { :; }\n')
        script = ('. "$ROOT/tools/dev.d/common.sh"; . "$ROOT/tools/dev.d/artifacts.sh"\n'
                  'for name in $artifacts_default; do case $name in ort-*) continue ;; esac\n'
                  'for path in $(artifact_paths "$name"); do mkdir -p "$SLUICE_CACHE/$path"; done; stamp "$name"; done\n')
        subprocess.run(['bash', '-c', script], check=True, env=self.environment(ROOT=self.at('checkout')))
        for client in ('npm', 'pip'):
            self.put(f'bin/{client}', f'#!/bin/sh\necho {client} was called >&2\nexit 1\n')
            os.chmod(self.at('bin', client), 0o755)
        path = {'PATH': self.at('bin') + ':' + os.environ['PATH']}
        self.describe('usr', '1.29.0')
        for system in ({'ONNXRUNTIME_ROOT': self.at('opt')}, {'PKG_CONFIG_PATH': self.at('usr/lib/pkgconfig')}):
            done = self.setup_tool(**system, **path)
            self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.describe('usr', '1.28.2')
        done = self.setup_tool(PKG_CONFIG_PATH=self.at('usr/lib/pkgconfig'), **path)
        self.assertEqual(done.returncode, 1)
        self.assertIn('fetching ort-headers', done.stderr)


if __name__ == '__main__':
    unittest.main()
