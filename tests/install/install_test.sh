#!/usr/bin/env bash
# install_test.sh [BUILD]: installs a build, then configures, builds and runs tests/install/sample against nothing but
# what was installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

build=$(realpath "${1:-build/release}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

quietly() {
  "$@" > "$scratch/log" 2>&1 || { cat "$scratch/log"; echo "failed: $*"; exit 1; }
}

quietly cmake --install "$build" --prefix "$scratch/prefix"
if grep -rnE '#include "(tests|tools)/' "$scratch/prefix/include"; then
  echo 'an installed header includes what is not installed'
  exit 1
fi
# The sample must not find the checkout: it is built from a copy.
cp -r tests/install/sample "$scratch/sample"
quietly cmake -S "$scratch/sample" -B "$scratch/build" -G Ninja "-DCMAKE_PREFIX_PATH=$scratch/prefix"
quietly cmake --build "$scratch/build"
timeout --kill-after=5 60 "$scratch/build/sample"

# The installed program runs too, with the modules that lie beside the installed library.
"$scratch/prefix/bin/sluice" run pipelines/hello.yaml --frames 4 --quiet > "$scratch/lines"
[ "$(wc -l < "$scratch/lines")" = 2 ] || { echo "the installed sluice wrote: $(cat "$scratch/lines")"; exit 1; }
