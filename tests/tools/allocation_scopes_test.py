#!/usr/bin/env python3
"""Foreign code, whose allocations do not count as Sluice's own, runs in at most 8 wrapper calls, in listed files only."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
MOST = 8
ROOMS = ('framework', 'inference', 'backends', 'nodes', 'runtime', 'tools/sluice')

listed = {line.split()[0] for line in (ROOT / 'tests/allocation_scopes.txt').read_text().splitlines() if line.strip()}
uses = {}
for room in ROOMS:
    for path in (ROOT / room).rglob('*.cc'):
        count = len(re.findall(r'^\s*(?:const )?ForeignCode \w+;', path.read_text(), re.M))
        if count:
            uses[str(path.relative_to(ROOT))] = count
errors = [f'{path}: ForeignCode, but not in tests/allocation_scopes.txt' for path in uses if path not in listed]
errors += [f'tests/allocation_scopes.txt: {path} has no ForeignCode' for path in listed if path not in uses]
if sum(uses.values()) > MOST:
    errors.append(f'{sum(uses.values())} uses of ForeignCode, allowed: {MOST}')
print('\n'.join(errors) or f'{sum(uses.values())} uses in {len(uses)} files')
sys.exit(bool(errors))
