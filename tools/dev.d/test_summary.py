#!/usr/bin/env python3
"""test_summary.py JUNIT: prints the slowest 20 tests of a CTest run and what was skipped, then 'N passed, N failed' as the
last line."""
import os
import re
import sys
import xml.etree.ElementTree as ET


def skipped_itself(case):
    """The test said that it cannot run here; one whose program is missing has failed."""
    skipped = case.find('skipped')
    return skipped is not None and skipped.get('message', '').startswith('SKIP_')


def skipped_checks(case):
    """How many checks a Python test left out, as unittest's last line says."""
    found = re.search(r'^OK \(.*skipped=(\d+)', case.findtext('system-out') or '', re.MULTILINE)
    return int(found[1]) if found else 0


def main():
    path = sys.argv[1]
    if not os.path.exists(path):
        print('0 passed, 1 failed')
        return 1
    passed, failed, times, skipped = 0, 0, [], []
    for case in ET.parse(path).getroot().iter('testcase'):
        times.append((float(case.get('time') or 0), case.get('name')))
        status = case.get('status')
        if skipped_itself(case):
            skipped.append(f'{case.get("name")} (all of it)')
        elif skipped_checks(case):
            skipped.append(f'{case.get("name")} ({skipped_checks(case)} of its checks)')
        if status == 'run':
            passed += 1
        elif status != 'disabled' and not skipped_itself(case):
            failed += 1
    print('\nslowest tests:')
    for seconds, name in sorted(times, reverse=True)[:20]:
        print(f'{seconds:9.2f} s  {name}')
    if skipped:
        print('skipped: ' + ', '.join(skipped))
    print(f'{passed} passed, {failed} failed')
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
