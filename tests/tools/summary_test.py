#!/usr/bin/env python3
"""tools/dev.d/test_summary.py counts what passed and failed, and says what was skipped."""
import os
import subprocess
import sys
import tempfile
import unittest

SUMMARY = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools', 'dev.d', 'test_summary.py')


def summary(*cases):
    """(exit code, printed lines) for test cases written as JUnit's XML."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'results.xml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('<testsuite>' + ''.join(cases) + '</testsuite>')
        done = subprocess.run([sys.executable, SUMMARY, path], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines()


def case(name, status, inside='', seconds=1):
    return f'<testcase name="{name}" time="{seconds}" status="{status}">{inside}</testcase>'


class Summary(unittest.TestCase):
    def test_the_last_line_counts(self):
        code, lines = summary(case('a', 'run'), case('b', 'fail'), case('c', 'disabled'))
        self.assertEqual((code, lines[-1]), (1, '1 passed, 1 failed'))
        self.assertNotIn('skipped', ' '.join(lines))

    def test_the_slowest_come_first(self):
        lines = summary(case('quick', 'run', seconds=0.5), case('slow', 'run', seconds=20))[1]
        self.assertEqual([line.split()[-1] for line in lines if ' s  ' in line], ['slow', 'quick'])

    def test_what_was_skipped_is_said_and_not_counted(self):
        whole = case('all', 'notrun', '<skipped message="SKIP_RETURN_CODE=77"/>')
        part = case('some', 'run', '<system-out>..s\nRan 3 tests in 1.0s\n\nOK (skipped=2)\n</system-out>')
        code, lines = summary(whole, part, case('a', 'run'))
        self.assertEqual((code, lines[-2:]),
                         (0, ['skipped: all (all of it), some (2 of its checks)', '2 passed, 0 failed']))

    def test_a_program_that_is_missing_has_failed(self):
        code, lines = summary(case('a', 'run'), case('b', 'notrun', '<skipped message="Unable to find executable"/>'))
        self.assertEqual((code, lines[-1]), (1, '1 passed, 1 failed'))

    def test_nothing_at_all_is_a_failure(self):
        self.assertEqual(summary()[0], 1)
        done = subprocess.run([sys.executable, SUMMARY, '/nowhere/results.xml'], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1]), (1, '0 passed, 1 failed'))


if __name__ == '__main__':
    unittest.main()
