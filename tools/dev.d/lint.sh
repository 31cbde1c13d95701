#!/usr/bin/env bash
# tools/dev lint [--all]: the layout, the formatting, the shell scripts, and clang-tidy on what changed.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

all=''
for argument in "$@"; do
  case $argument in
    --all) all=1 ;;
    -h | --help) echo "usage: tools/dev lint [--all]"; exit 0 ;;
    *) bad_usage "lint: unknown argument '$argument', allowed: --all" ;;
  esac
done
"$ROOT/tools/dev" setup --lint
llvm=$(llvm_version)
say_other_llvm "$llvm"
cd "$ROOT"
status=0

tools/layout_check.py || status=1
"$ROOT/tools/dev" format --all --check || status=1

mapfile -t scripts < <(git ls-files --cached --others --exclude-standard | grep -E '\.sh$|^tools/dev$|^\.ci/run$')
shellcheck -x "${scripts[@]}" || status=1

# clang-tidy wants to know how each file is compiled: one configured build is enough.
"$ROOT/tools/dev" build dev help > /dev/null
if [ -n "$all" ]; then
  mapfile -t files < <(git ls-files --cached --others --exclude-standard | cxx_only)
else
  mapfile -t files < <(changed_files | cxx_only)
fi
compiled=$(python3 tools/dev.d/compiled_files.py build/dev/compile_commands.json)
mapfile -t files < <(printf '%s\n' "${files[@]}" | grep -xF "$compiled" || true)
if [ ${#files[@]} -gt 0 ]; then
  say "clang-tidy on ${#files[@]} files"
  printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" "clang-tidy-$llvm" --quiet -p build/dev || status=1
fi
exit "$status"
