#!/usr/bin/env python3
"""tools/layout_check.py finds planted faults, and its ratchet only goes down."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

CHECK = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools', 'layout_check.py')


class LayoutCheck(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)

    def write(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as target:
            target.write(text)

    def ratchet(self, files=None, functions=None):
        self.write('tools/layout_ratchet.json', json.dumps({'files': files or {}, 'functions': functions or {}}))

    def check(self, *arguments):
        done = subprocess.run([sys.executable, CHECK, '--root', self.root, *arguments], capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stderr

    def assert_refused(self, *words):
        status, message = self.check()
        self.assertEqual(status, 1, message)
        for word in words:
            self.assertIn(word, message)

    def assert_accepted(self):
        self.assertEqual(self.check()[0], 0, self.check()[1])

    def test_includes_in_the_right_direction_pass(self):
        self.write('framework/plan/a.cc', '#include "framework/core/b.h"\n#include "framework/spec/c.h"\n')
        self.write('nodes/d.cc', '#include "inference/e.h"\n#include "framework/node/f.h"\n#include <vector>\n')
        self.write('framework/graph/g.cc', '#include <tbb/flow_graph.h>\n#include "framework/plan/h.h"\n')
        self.write('tests/i.cc', '#include <tbb/flow_graph.h>\n#include "nodes/j.h"\n')
        self.assert_accepted()

    def test_a_wrong_include_is_found_with_its_line(self):
        self.write('nodes/a.cc', '#include "framework/node/f.h"\n#include "framework/plan/plan.h"\n')
        self.assert_refused('nodes/a.cc:2', 'nodes may not include from framework/plan')

    def test_framework_never_sees_a_node_or_a_test(self):
        self.write('framework/core/a.h', '#include "nodes/b.h"\n')
        self.write('framework/node/c.h', '#include "tests/d.h"\n')
        self.assert_refused('framework/core/a.h:1', 'framework/node/c.h:1')

    def test_a_header_brings_its_own_fixed_widths(self):
        self.write('framework/core/a.h', '#include <string>\nstd::uint8_t a();\n')
        self.write('framework/core/b.h', '#include <cstdint>\nstd::int64_t b();\n')
        self.write('framework/core/c.h', '#include <string>\nstd::string c();  // no std::uint8_t\n')
        self.assert_refused('framework/core/a.h:2', "'std::uint8_t' needs #include <cstdint>")
        self.write('framework/core/a.h', '#include <cstdint>\nstd::uint8_t a();\n')
        self.assert_accepted()

    def test_a_wrapped_library_stays_in_its_room(self):
        self.write('nodes/a.cc', '#include <oneapi/tbb/flow_graph.h>\n')
        self.write('framework/plan/b.cc', '#include <yaml-cpp/yaml.h>\n')
        self.assert_refused('nodes/a.cc:1', 'framework/plan/b.cc:1', 'wrapped by framework/spec')

    def test_an_include_beside_the_file_is_not_root_relative(self):
        self.write('inference/a.cc', '#include "selector.h"\n')
        self.assert_refused('inference/a.cc:1', 'repository root')

    def test_framework_calls_nothing_of_glibc_alone(self):
        self.write('framework/core/a.cc', '#include <execinfo.h>\nvoid* p[8];\nint n = backtrace(p, 8);\n')
        self.write('framework/graph/b.cc', 'const char* name = program_invocation_name;\n'
                                           'int r = pthread_setaffinity_np(t, sizeof s, &s);\n')
        self.assert_refused("framework/core/a.cc:1: error: 'execinfo.h'", "framework/core/a.cc:3: error: 'backtrace'",
                            "framework/graph/b.cc:1: error: 'program_invocation_name'",
                            "framework/graph/b.cc:2: error: 'pthread_setaffinity_np'", "Android's C library")

    def test_what_android_has_too_passes_and_so_does_glibc_above_the_framework(self):
        self.write('framework/core/a.cc', '// not backtrace(): see b.cc\nint r = pthread_setname_np(t, "x");\n'
                                          'int e = log.error(2);\nint w = my_backtrace(3);\n')
        self.write('runtime/b.cc', '#include <execinfo.h>\n')
        self.assert_accepted()

    def test_a_large_file_is_found_and_the_ratchet_only_goes_down(self):
        self.write('nodes/a.cc', '\n' * 600)
        self.assert_refused('nodes/a.cc: error: 600 lines', 'may have 500')
        self.ratchet(files={'nodes/a.cc': 600})
        self.assert_accepted()
        self.write('nodes/a.cc', '\n' * 601)
        self.assert_refused('601 lines', 'may have 600')
        self.assertEqual(self.check('--update')[0], 1, '--update must not raise the ratchet')
        self.write('nodes/a.cc', '\n' * 550)
        self.assert_refused('Lower the ratchet')
        self.assertEqual(self.check('--update')[0], 0)
        self.write('nodes/a.cc', '\n' * 560)
        self.assert_refused('560 lines', 'may have 550')
        self.write('nodes/a.cc', '\n' * 100)
        self.assertEqual(self.check('--update')[0], 0)
        self.write('nodes/a.cc', '\n' * 501)
        self.assert_refused('501 lines')

    @unittest.skipUnless(shutil.which('ctags'), 'universal-ctags is not installed')
    def test_a_long_function_is_found(self):
        body = '  i += 1;\n' * 70
        self.write('nodes/a.cc', f'int f(int i) {{ return i; }}\nint g(int i) {{\n{body}  return i;\n}}\n')
        self.assert_refused('nodes/a.cc:g: error: 73 lines')
        self.ratchet(functions={'nodes/a.cc:g': 73})
        self.assert_accepted()
        self.ratchet(functions={'nodes/a.cc:g': 80})
        self.assert_refused('Lower the ratchet')


if __name__ == '__main__':
    unittest.main()
