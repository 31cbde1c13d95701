# shellcheck shell=bash
# Sourced by every verb: tools/dev has exported ROOT and SLUICE_CACHE.
set -euo pipefail
: "${ROOT:?run this through tools/dev}" "${SLUICE_CACHE:?run this through tools/dev}"

say() { echo "tools/dev: $*" >&2; }
die() { say "$*"; exit 1; }
bad_usage() { say "$*"; exit 2; }

# Runs a command in silence; its output appears only when it fails.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" > "$log" 2>&1 || status=$?
  if [ "$status" -ne 0 ]; then
    cat "$log" >&2
    say "failed with exit code $status: $*"
  fi
  rm -f "$log"
  return "$status"
}

# The LLVM that checks and formats: 19, or the newest before it that is installed or can be had (Ubuntu 24.04 may
# have 18 only).
llvm_version() {
  local version
  for version in 19 18 17 16; do
    if command -v "clang-tidy-$version" > /dev/null; then echo "$version"; return; fi
  done
  for version in 19 18 17 16; do
    if [ -n "$(apt-cache madison "clang-tidy-$version" 2> /dev/null)" ]; then echo "$version"; return; fi
  done
  echo 19
}

say_other_llvm() {
  if [ "$1" != 19 ]; then say "LLVM $1 is used; CI has 19, which may see other things"; fi
}

# Files that differ from the main branch (or from the last commit), committed or not.
changed_files() {
  local base
  base=$(git -C "$ROOT" merge-base HEAD origin/main 2> /dev/null || true)
  if [ -z "$base" ] || [ "$base" = "$(git -C "$ROOT" rev-parse HEAD 2> /dev/null)" ]; then
    base=$(git -C "$ROOT" rev-parse -q --verify HEAD~ 2> /dev/null || true)
  fi
  {
    if [ -n "$base" ]; then git -C "$ROOT" diff --name-only --diff-filter=d "$base"; else git -C "$ROOT" ls-files; fi
    git -C "$ROOT" ls-files --others --exclude-standard
  } | sort -u
}

cxx_only() { grep -E '\.(cc|h)$' || true; }
