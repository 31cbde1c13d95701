#!/usr/bin/env bash
# tools/dev format [--all] [--check]: clang-format on the C++ files that changed.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

all='' mode=-i
for argument in "$@"; do
  case $argument in
    --all) all=1 ;;
    --check) mode=--dry-run ;;
    --help) echo "usage: tools/dev format [--all] [--check]"; exit 0 ;;
    *) bad_usage "format: unknown argument '$argument', allowed: --all, --check" ;;
  esac
done
command -v clang-format-19 > /dev/null || "$ROOT/tools/dev" setup --lint

cd "$ROOT"
if [ -n "$all" ]; then
  mapfile -t files < <(git ls-files --cached --others --exclude-standard | cxx_only)
else
  mapfile -t files < <(changed_files | cxx_only)
fi
if [ ${#files[@]} = 0 ]; then exit 0; fi
clang-format-19 "$mode" --Werror "${files[@]}"
