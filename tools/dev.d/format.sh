#!/usr/bin/env bash
# tools/dev format [--all] [--check]: clang-format on the C++ files that changed.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

all='' mode=-i
for argument in "$@"; do
  case $argument in
    --all) all=1 ;;
    --check) mode=--dry-run ;;
    -h | --help) echo "usage: tools/dev format [--all] [--check]"; exit 0 ;;
    *) bad_usage "format: unknown argument '$argument', allowed: --all, --check" ;;
  esac
done
llvm=$(llvm_version)
command -v "clang-format-$llvm" > /dev/null || "$ROOT/tools/dev" setup --lint
say_other_llvm "$llvm"

cd "$ROOT"
if [ -n "$all" ]; then
  mapfile -t files < <(git ls-files --cached --others --exclude-standard | cxx_only)
else
  mapfile -t files < <(changed_files | cxx_only)
fi
if [ ${#files[@]} = 0 ]; then exit 0; fi
"clang-format-$llvm" "$mode" --Werror "${files[@]}"
