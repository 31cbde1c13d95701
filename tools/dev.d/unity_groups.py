#!/usr/bin/env python3
"""unity_groups.py SIZE FILE...: which files can be compiled as one, at most SIZE together; prints 'NUMBER FILE' lines.

Two files that define the same name outside of classes cannot, if one of them hides it in an unnamed namespace: the other
would see it. Reads the files with universal-ctags.
"""
import collections
import json
import os
import subprocess
import sys


# Files that the headers of others disturb.
ALONE = {
    'profile_writer.cc',  # its own quoted() would meet std::quoted() of <iomanip>
}


def names_of(files):
    """{file: {name: {what it is}}} of everything defined outside of classes."""
    tags = subprocess.run(['ctags', '-L', '-', '-f', '-', '--language-force=C++', '--kinds-c++=fvgscedtu', '--fields=+neSst',
                           '--output-format=json'], input='\n'.join(files), text=True, capture_output=True, check=True)
    names = {file: collections.defaultdict(set) for file in files}
    for line in tags.stdout.splitlines():
        tag = json.loads(line)
        if tag.get('scopeKind', 'namespace') != 'namespace' or tag['name'].startswith('__anon') or '::' in tag['name']:
            continue
        what = 'hidden' if '__anon' in tag.get('scope', '') else 'shown'
        if tag['kind'] == 'typedef':
            what = tag.get('typeref', what)
        names[tag['path']][tag['name']].add(what)
    return names


def get_along(one, other):
    """Overloads that everybody sees do, and so do equal aliases; a hidden one may be meant where no overload is wanted."""
    for name in one.keys() & other.keys():
        kinds = one[name] | other[name]
        if 'hidden' in kinds or len(kinds) > 1:
            return False
    return True


def main():
    size, files = int(sys.argv[1]), sys.argv[2:]
    names = names_of(files)
    groups = []
    for file in files:
        for group in groups:
            alone = any(os.path.basename(name) in ALONE for name in (file, group[0]))
            if not alone and len(group) < size and all(get_along(names[file], names[other]) for other in group):
                group.append(file)
                break
        else:
            groups.append([file])
    for number, group in enumerate(groups):
        for file in group:
            print(number, file)


if __name__ == '__main__':
    main()
