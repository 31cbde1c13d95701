#!/usr/bin/env python3
"""Checks which way the rooms are entered, how large files and functions are, that framework/ needs no glibc,
and that headers compile with a newer standard library.

  tools/layout_check.py            all rules; exit 1 and one line per violation
  tools/layout_check.py --update   lowers or removes entries of the ratchet that have become smaller

Sizes above the limits are listed in tools/layout_ratchet.json with what they are now. Such an entry may
shrink and never grow. An entry is added by hand, so that somebody reviews it.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys

FILE_LIMIT = 500
FUNCTION_LIMIT = 60
RATCHET = 'tools/layout_ratchet.json'
SOURCES = ('.cc', '.h')
SIZED = SOURCES + ('.py', '.sh', '.cmake')

# Room: the rooms it may include from, besides itself.
ROOMS = {
    'framework/core': [],
    'framework/spec': ['framework/core'],
    'framework/node': ['framework/core'],
    'framework/plan': ['framework/core', 'framework/spec', 'framework/node'],
    'framework/graph': ['framework/core', 'framework/spec', 'framework/node', 'framework/plan'],
    # Declarations and options (what a backend can be set to), never nodes: CONTRIBUTING.md.
    'inference': ['framework/core', 'framework/node'],
    'backends': ['framework/core', 'framework/node', 'inference'],
    'nodes': ['framework/core', 'framework/node', 'inference'],
    'simulation': ['framework/core', 'framework/spec', 'framework/node', 'framework/plan', 'framework/graph',
                   'inference'],
    'quantize': ['framework/core', 'inference', 'backends'],
}
# These stand above all rooms and may use each of them; no room may use these.
ABOVE = ['runtime', 'include', 'apps', 'tools', 'tests']

# Library headers that one room wraps for all others (tests may use any).
WRAPPED = {
    r'(tbb|oneapi)/': ['framework/graph'],
    r'yaml-cpp/': ['framework/spec'],
    r'onnxruntime': ['inference', 'backends'],
    r'CL/': ['backends'],
    r'CLI/': ['tools'],
    r'onnx/': ['quantize'],
    r'google/protobuf': ['quantize'],
    r'zip\.h': ['quantize'],
}

# What glibc has and Android's C library (bionic, API 29) has not; framework/ is to build for both.
GLIBC_CALLS = re.compile(
    r'\b(backtrace|backtrace_symbols|backtrace_symbols_fd|gnu_get_libc_version|gnu_get_libc_release|'
    r'pthread_(get|set)affinity_np|pthread_attr_(get|set)affinity_np|pthread_(tryjoin|timedjoin|clockjoin)_np|'
    r'pthread_cancel|pthread_testcancel|pthread_setcancelstate|pthread_yield|qsort_r|secure_getenv|'
    r'canonicalize_file_name|malloc_trim|malloc_stats|mallinfo2|__libc_(malloc|calloc|realloc|free|memalign)|'
    r'dlmopen|dladdr1|dlinfo|fcloseall|rawmemchr|strverscmp|on_exit|get_current_dir_name|error_at_line|wordexp|'
    r'memfd_create|copy_file_range|renameat2)\s*\(|'
    r'\b(program_invocation_(short_)?name|RTLD_DEEPBIND|__malloc_hook|__GLIBC__|__GLIBC_PREREQ)\b')
GLIBC_HEADERS = ('execinfo.h', 'gnu/libc-version.h', 'error.h', 'argp.h', 'wordexp.h', 'printf.h', 'mcheck.h')

FIXED_WIDTH = re.compile(r'\bstd::u?int(8|16|32|64|ptr)_t\b')
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def tracked_files(root):
    """Files that git knows or would add; every file where there is no repository."""
    listing = subprocess.run(['git', '-C', root, 'ls-files', '-co', '--exclude-standard', '--deduplicate'],
                             capture_output=True, text=True, check=False)
    if listing.returncode == 0:
        names = listing.stdout.splitlines()
    else:
        names = [os.path.relpath(os.path.join(folder, name), root)
                 for folder, _, files in os.walk(root) for name in files]
    return sorted(name for name in names if os.path.isfile(os.path.join(root, name)))


def room_of(path):
    return next((room for room in [*ROOMS, *ABOVE] if path.startswith(room + '/')), None)


def read_lines(root, path):
    with open(os.path.join(root, path), encoding='utf-8', errors='replace') as source:
        return source.read().splitlines()


def include_errors(root, path):
    """One message per include that goes the wrong way."""
    room = room_of(path)
    if room is None:
        return
    for number, line in enumerate(read_lines(root, path), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, target = match.groups()
        if room != 'tests':
            for pattern, owners in WRAPPED.items():
                if re.match(pattern, target) and room not in owners:
                    yield f'{path}:{number}: error: <{target}> is wrapped by {" and ".join(owners)}; use that'
        if quote == '<' or room not in ROOMS:
            continue
        other = room_of(target)
        if other is None:
            yield (f'{path}:{number}: error: "{target}" is not written from the repository root '
                   '(as in "framework/core/status.h")')
        elif other != room and other not in ROOMS[room]:
            allowed = ', '.join([room, *ROOMS[room]])
            yield f'{path}:{number}: error: {room} may not include from {other}; allowed: {allowed}'


def portability_errors(root, path):
    """One message per line of framework/ that only glibc can compile."""
    if not path.startswith('framework/'):
        return
    for number, line in enumerate(read_lines(root, path), 1):
        include = INCLUDE.match(line)
        call = GLIBC_CALLS.search(line.split('//')[0])
        found = include.group(2) if include and include.group(2) in GLIBC_HEADERS else call and call.group(0).rstrip('( ')
        if found:
            yield f"{path}:{number}: error: '{found}' is glibc's alone; framework/ also builds with Android's C library"


def fixed_width_errors(root, path):
    """One message per header that counts on another header for <cstdint>: since GCC 13 others no longer bring it."""
    lines = read_lines(root, path) if path.endswith('.h') else []
    if any(include and include.group(2) == 'cstdint' for include in map(INCLUDE.match, lines)):
        return
    for number, line in enumerate(lines, 1):
        found = FIXED_WIDTH.search(line.split('//')[0])
        if found:
            yield f"{path}:{number}: error: '{found.group(0)}' needs #include <cstdint> in this header"
            return


def file_sizes(root, files):
    sizes = {path: len(read_lines(root, path)) for path in files if path.endswith(SIZED)}
    return {path: size for path, size in sizes.items() if size > FILE_LIMIT}


def function_sizes(root, files):
    """{'path:function': lines} of those above the limit; None without universal-ctags."""
    sources = [path for path in files if path.endswith(SOURCES)]
    if not shutil.which('ctags'):
        return None
    tags = subprocess.run(['ctags', '-L', '-', '-f', '-', '--language-force=C++', '--kinds-c++=f',
                           '--fields=+neS', '--excmd=number', '--output-format=json'], cwd=root, text=True,
                          input='\n'.join(sources), capture_output=True, check=False)
    if tags.returncode != 0:  # not the universal one
        return None
    sizes = {}
    for line in tags.stdout.splitlines():
        tag = json.loads(line)
        size = tag.get('end', tag.get('line', 0)) - tag.get('line', 0) + 1
        if size > FUNCTION_LIMIT:
            name = tag['name']
            if name.isupper() or name.startswith('TEST'):  # TEST(Suite, Case)
                name += tag.get('signature', '').replace(' ', '')
            key = f'{tag["path"]}:{name}'
            sizes[key] = max(size, sizes.get(key, 0))
    return sizes


def ratchet_errors(found, listed, limit, what):
    for name, size in sorted(found.items()):
        allowed = listed.get(name, limit)
        if size > allowed:
            yield (f'{name}: error: {size} lines; a {what} may have {allowed}. Split it'
                   + ('' if name in listed else f', or list it in {RATCHET} with a reviewer who agrees'))
    for name, allowed in sorted(listed.items()):
        if found.get(name, 0) < allowed:
            yield (f'{name}: error: {RATCHET} says {allowed} lines, it is smaller now. '
                   'Lower the ratchet: run tools/layout_check.py --update')


def lowered(listed, found):
    return {name: min(size, found[name]) for name, size in sorted(listed.items()) if name in found}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--update', action='store_true', help='lower the ratchet to the present sizes')
    parser.add_argument('--root', default=os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
    arguments = parser.parse_args()
    root = os.path.abspath(arguments.root)

    ratchet_path = os.path.join(root, RATCHET)
    ratchet = {'files': {}, 'functions': {}}
    if os.path.exists(ratchet_path):
        with open(ratchet_path, encoding='utf-8') as source:
            ratchet.update(json.load(source))

    files = tracked_files(root)
    sizes = file_sizes(root, files)
    functions = function_sizes(root, files)
    if arguments.update:
        ratchet['files'] = lowered(ratchet['files'], sizes)
        if functions is not None:
            ratchet['functions'] = lowered(ratchet['functions'], functions)
        with open(ratchet_path, 'w', encoding='utf-8') as target:
            json.dump(ratchet, target, indent=2)
            target.write('\n')

    sources = [path for path in files if path.endswith(SOURCES)]
    errors = [error for path in sources for rule in (include_errors, portability_errors, fixed_width_errors)
              for error in rule(root, path)]
    errors += ratchet_errors(sizes, ratchet['files'], FILE_LIMIT, 'file')
    if functions is None:
        print('layout: universal-ctags is not installed, the length of functions was not checked', file=sys.stderr)
    else:
        errors += ratchet_errors(functions, ratchet['functions'], FUNCTION_LIMIT, 'function')
    for error in errors:
        print(error, file=sys.stderr)
    print(f'layout: {len(files)} files, {len(errors)} errors')
    return 1 if errors else 0


if __name__ == '__main__':
    sys.exit(main())
