#!/usr/bin/env python3
"""readme_test.py [BIN]: README.md shows pipelines as they are in their files, and its commands work and print what it shows.

  <!-- file: PATH -->        the next block is PATH without its comments and blank lines
  <!-- run --> or <!-- run, exit N -->
                             each command of the next block ends with 0 or N; where the block has '$ ' lines, those are the
                             commands, and lines below one are all that it prints: numbers, widths and reasons of losses
                             aside, which differ from run to run. tools/dev and cmake set things up and are skipped.

BIN is the folder of the programs, build/release/bin when not given.
"""
import difflib
import os
import re
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
BIN = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, 'build/release/bin'))
BLOCK = re.compile(r'^<!-- (file: (?P<file>\S+)|run(, exit (?P<exit>\d+))?) -->\n```\w*\n(?P<body>.*?)^```$', re.M | re.S)
SET_UP = ('tools/dev', 'cmake', 'git')


def essence(text):
    return [line.rstrip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith('#')]


def commands(body):
    """Pairs: a command, and the lines that it prints; none: what it prints is not shown."""
    pairs = []
    for line in body.splitlines():
        if line.startswith('$ '):
            pairs.append((line[2:], []))
        elif pairs:
            pairs[-1][1].append(line)
    pairs = pairs or [(line, []) for line in essence(body)]
    return [(line, output) for line, output in pairs if not line.startswith(SET_UP)]


def shape(text):
    text = re.sub(r'-?\d+(\.\d+)?', '0', text)
    text = re.sub(r'dropped 0 \([^)]*\)', 'dropped 0', text)
    return [' '.join(line.split()) for line in text.splitlines()]


def wrong_file(path, body):
    with open(os.path.join(ROOT, path), encoding='utf-8') as source:
        return [] if essence(source.read()) == essence(body) else [f'{path} is not what README.md shows']


def wrong_output(command, output, printed):
    shown, found = shape('\n'.join(output)), shape(printed)
    if not output or shown == found:
        return []
    lines = '\n'.join(difflib.unified_diff(shown, found, 'README.md', 'printed', lineterm=''))
    return [f'{command}: does not print what README.md shows:\n{lines}']


def wrong_command(command, expected, output):
    line = command.replace('build/release/bin', BIN)
    try:
        done = subprocess.run(line, shell=True, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        return [f'{command}: not done after 120 s']
    if done.returncode != expected:
        return [f'{command}: exit code {done.returncode}\n{done.stdout}']
    return wrong_output(command, output, done.stdout)


def main():
    with open(os.path.join(ROOT, 'README.md'), encoding='utf-8') as source:
        readme = source.read()
    errors, files, ran = [], 0, 0
    for block in BLOCK.finditer(readme):
        if block['file']:
            files += 1
            errors += wrong_file(block['file'], block['body'])
            continue
        for command, output in commands(block['body']):
            ran += 1
            errors += wrong_command(command, int(block['exit'] or 0), output)
    if not files or not ran:
        errors.append(f'README.md: {files} files and {ran} commands are marked; at least one of each is expected')
    print('\n'.join(errors) or f'{files} files and {ran} commands of README.md are right')
    return 1 if errors else 0


if __name__ == '__main__':
    sys.exit(main())
