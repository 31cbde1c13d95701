#!/usr/bin/env python3
"""compiled_files.py compile_commands.json: the repository's files in it, one per line, from the working folder."""
import json
import os
import sys

with open(sys.argv[1], encoding='utf-8') as source:
    commands = json.load(source)
for path in sorted({os.path.relpath(os.path.join(c['directory'], c['file'])) for c in commands}):
    if not path.startswith(('build/', '..')):
        print(path)
