#!/usr/bin/env python3
"""tools/dev device over a real sshd on loopback, with keys and configuration of its own, and over a stand-in for adb.

SLUICE_PROGRAM names the built program; the tree that is copied is what `cmake --install` makes of that build. Without an
sshd (tools/dev setup --device) the whole test is skipped: exit code 77.
"""
import getpass
import glob
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
PROGRAM = os.path.abspath(os.environ.get('SLUICE_PROGRAM', os.path.join(ROOT, 'build/release/bin/sluice')))
SSHD = shutil.which('sshd', path='/usr/sbin:/usr/local/sbin')
SKIPPED = 77

# In place of a device's program: says what it was asked, and fails when asked for $STUB_FAILS.
STUB = '''#!/bin/sh
case $1 in {fails}) echo "stub: cannot $1" >&2; exit 3 ;; esac
if [ "$1" = run ]; then echo '{{"frames": 1}}' > report.json; fi
echo "$@"
'''

# In place of adb: the device is a folder of this machine. A file `full` in it breaks a copy off half-way.
ADB = '''#!/bin/sh
[ "$1" = -s ] && [ "$2" = emulated ] || { echo "adb: device '$2' not found" >&2; exit 1; }
case $3 in
  shell) exec sh -c "$5" ;;
  push)
    if [ -e "$DEVICE/full" ]; then mkdir -p "$5/tree"; echo half > "$5/tree/half"; echo 'no space left' >&2; exit 1; fi
    cp -r "$4" "$5" ;;
esac
'''


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as target:
        target.write(text)
    os.chmod(path, mode)
    return path


def read(*parts):
    with open(os.path.join(*parts), encoding='utf-8') as source:
        return source.read()


def quietly(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


class Sshd:
    """A server on a free port of loopback that only this test's key opens."""

    def __init__(self, folder):
        self.folder = folder
        for key in ('host_key', 'user_key'):
            quietly('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', os.path.join(folder, key))
        shutil.copy(os.path.join(folder, 'user_key.pub'), os.path.join(folder, 'authorized_keys'))
        if os.getuid() == 0:
            os.makedirs('/run/sshd', exist_ok=True)  # sshd's fixed place for its unprivileged part
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            self.port = probe.getsockname()[1]
        configuration = write(os.path.join(folder, 'sshd_config'), f'''
ListenAddress 127.0.0.1
Port {self.port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
''')
        self.process = subprocess.Popen([SSHD, '-D', '-e', '-f', configuration], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if line.startswith('Server listening'):
                break
        else:
            raise RuntimeError(f'sshd ended with {self.process.wait()}')
        self.client_configuration = self.configuration('board', self.port)

    def configuration(self, name, port):
        public_key = read(self.folder, 'host_key.pub').rsplit(' ', 1)[0]
        write(os.path.join(self.folder, 'known_hosts'), f'{name} {public_key}\n')
        return write(os.path.join(self.folder, f'ssh_config_{port}'), f'''
Host {name}
  HostName 127.0.0.1
  Port {port}
  User {getpass.getuser()}
  HostKeyAlias {name}
  IdentityFile {self.folder}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {self.folder}/known_hosts
  StrictHostKeyChecking yes
''')

    def stop(self):
        self.process.terminate()
        self.process.stderr.close()
        self.process.wait()


class Device(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.shared)
        cls.sshd = Sshd(cls.shared)
        cls.addClassCleanup(cls.sshd.stop)

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.reports = os.path.join(self.folder, 'reports')
        self.there = os.path.join(self.folder, 'there')

    def stub_tree(self, fails='nothing'):
        write(os.path.join(self.folder, 'tree', 'bin', 'sluice'), STUB.format(fails=fails), 0o755)
        return os.path.join(self.folder, 'tree')

    def device(self, host, *arguments, tree=None, pipeline='pipelines/hello.yaml', environment=None):
        done = subprocess.run(
            [os.path.join(ROOT, 'tools', 'dev'), 'device', host, '--tree', tree or self.stub_tree(), '--folder', self.there,
             '--reports', self.reports, '--pipeline', os.path.join(ROOT, pipeline),
             '--ssh-config', self.sshd.client_configuration, *arguments],
            env={**os.environ, 'SLUICE_PROGRAM': PROGRAM, **(environment or {})}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout, done.stderr

    def assert_fails(self, result, step, *words):
        status, _, message = result
        self.assertEqual(status, 1, message)
        last = message.strip().splitlines()[-1]
        self.assertIn(f"step '{step}' failed", last)
        for word in words:
            self.assertIn(word, message)

    def finished_reports(self):
        return sorted(glob.glob(os.path.join(self.reports, '20*')))

    def test_the_installed_tree_runs_a_package_there_and_a_labelled_report_comes_back(self):
        tree = os.path.join(self.folder, 'installed')
        quietly('cmake', '--install', os.path.dirname(os.path.dirname(PROGRAM)), '--prefix', tree)
        arguments = ('--frames', '5', '--duration', '300ms', '--backend', 'cpu')
        status, out, message = self.device('board', *arguments, tree=tree, pipeline='pipelines/face_fast.yaml')
        self.assertEqual(status, 0, message)
        self.assertIn('backends', out)
        report, = self.finished_reports()
        self.assertRegex(os.path.basename(report), r'^\d{4}-\d\d-\d\dT\d{6}Z_board$')
        label = read(report, 'label.txt')
        commit = subprocess.run(['git', '-C', ROOT, 'rev-parse', 'HEAD'], capture_output=True, text=True, check=False).stdout
        for line in (r'date: 20\d\d-', 'host: board', f'uname: Linux .*{os.uname().machine}', r'soc: \S', r'pipeline: .*/face_fast\.yaml',
                     f'commit: {commit.strip() or "unknown"}'):
            self.assertTrue(re.search('^' + line, label, re.M), f'{line} is not in\n{label}')
        self.assertIn({'name': 'fake', 'available': True},
                      [{key: entry[key] for key in ('name', 'available')} for entry in json.loads(read(report, 'doctor.json'))['backends']])
        self.assertEqual(len(read(report, 'results.jsonl').splitlines()), 5)
        self.assertEqual(json.loads(read(report, 'run.json'))['pipeline'], 'face_fast')
        profile, = glob.glob(os.path.join(report, 'profile_*.json'))
        self.assertIn('cpu', read(profile))
        self.assertEqual(os.listdir(self.there), ['current'])

    def test_a_second_report_leaves_the_first_alone(self):
        self.assertEqual(self.device('board')[0], 0)
        first, = self.finished_reports()
        write(os.path.join(first, 'label.txt'), 'the first')
        self.assertEqual(self.device('board')[0], 0)
        self.assertEqual(len(self.finished_reports()), 2)
        self.assertEqual(read(first, 'label.txt'), 'the first')
        self.assertEqual(os.listdir(self.there), ['current'])

    def test_a_device_that_does_not_answer(self):
        with socket.socket() as closed:
            closed.bind(('127.0.0.1', 0))  # bound, and nobody listens
            configuration = self.sshd.configuration('board', closed.getsockname()[1])
            self.assert_fails(self.device('board', '--ssh-config', configuration), 'reach the device', 'board:', 'uname -m',
                              'refused', "'ssh board true' must work without a password")
        self.assertEqual(self.finished_reports(), [])

    def test_a_folder_that_cannot_be_written(self):
        write(os.path.join(self.folder, 'there'), 'a file')
        self.assert_fails(self.device('board'), 'make a folder there', 'board:', f"mkdir -p '{self.there}'", '--folder')

    def test_a_pipeline_that_is_not_there(self):
        self.assert_fails(self.device('board', '--pipeline', 'missing.yaml'), 'package', 'missing.yaml', 'sluice check')
        self.assertFalse(os.path.exists(self.there))

    def test_a_program_that_does_not_start_leaves_no_finished_report(self):
        self.assert_fails(self.device('board', tree=self.stub_tree(fails='doctor')), 'doctor', 'stub: cannot doctor', 'docs/board.md')
        self.assertEqual(self.finished_reports(), [])

    def test_a_test_that_fails_keeps_what_came_back_under_another_name(self):
        self.assert_fails(self.device('board', tree=self.stub_tree(fails='run')), 'short test', 'exit code 3', 'stub: cannot run')
        self.assertEqual(self.finished_reports(), [])
        incomplete, = glob.glob(os.path.join(self.reports, 'incomplete.*'))
        self.assertIn('doctor', read(incomplete, 'doctor.txt'))

    def adb(self):
        write(os.path.join(self.folder, 'bin', 'adb'), ADB, 0o755)
        os.makedirs(self.there, exist_ok=True)
        return {'PATH': os.path.join(self.folder, 'bin') + ':' + os.environ['PATH'], 'DEVICE': self.there}

    def test_adb(self):
        status, _, message = self.device('adb:emulated', environment=self.adb())
        self.assertEqual(status, 0, message)
        report, = self.finished_reports()
        self.assertTrue(report.endswith('Z_adb_emulated'))
        self.assertIn('host: adb:emulated', read(report, 'label.txt'))

    def test_a_copy_that_breaks_off_replaces_nothing_and_leaves_nothing(self):
        environment = self.adb()
        self.assertEqual(self.device('adb:emulated', environment=environment)[0], 0)
        write(os.path.join(self.there, 'full'), '')
        self.assert_fails(self.device('adb:emulated', environment=environment), 'copy', 'adb:emulated:', 'no space left', 'full?')
        self.assertEqual(sorted(os.listdir(self.there)), ['current', 'full'])
        self.assertTrue(os.access(os.path.join(self.there, 'current/tree/bin/sluice'), os.X_OK))

    def test_an_adb_device_that_is_not_there(self):
        self.assert_fails(self.device('adb:other', environment=self.adb()), 'reach the device', "device 'other' not found", 'adb devices')


if __name__ == '__main__':
    if not SSHD:
        print('skipped: no sshd; tools/dev setup --device installs it')
        sys.exit(SKIPPED)
    unittest.main()
