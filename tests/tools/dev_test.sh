#!/usr/bin/env bash
# tools/dev: unknown verbs and arguments are refused with exit code 2 and what is allowed; --help is not.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

refused() { # WHAT THE MESSAGE SAYS, COMMAND...
  local says=$1 message status=0
  shift
  message=$("$@" 2>&1) || status=$?
  [ "$status" = 2 ] || { echo "$*: exit code $status instead of 2"; exit 1; }
  [[ $message == *"$says"* ]] || { echo "$*: '$message' does not say '$says'"; exit 1; }
}

refused "unknown verb 'bogus', allowed: setup, build, demo, test, format, lint, bench, nightly, device, clean" tools/dev bogus
refused 'usage: tools/dev VERB' tools/dev
refused 'allowed: --lint' tools/dev setup --bogus
refused 'allowed: --all, --check' tools/dev format --bogus
refused 'usage: tools/dev device' tools/dev device
refused 'adb:SERIAL' tools/dev device 'a b'
refused "unknown argument '--bogus'" tools/dev device --bogus
refused "--frames 'x' is no number" tools/dev device board --frames x
refused 'characters that are not allowed' tools/dev device board --folder '/a b'
refused 'unknown artifact' tools/dev setup --only bogus
refused 'setup: --only wants the name' tools/dev setup --only
help=$(tools/dev --help)
for verb in setup build demo test format lint bench nightly device clean; do
  [[ $help == *"  $verb "* ]] || { echo "tools/dev --help does not name $verb"; exit 1; }
  [ -x "tools/dev.d/$verb.sh" ] || { echo "tools/dev.d/$verb.sh is not executable"; exit 1; }
done
for option in -h --help; do [[ $(tools/dev setup "$option") == usage:* ]]; done
for option in $(tools/dev setup --help | grep -oE -- '--[a-z0-9]+'); do
  [[ $help == *"[$option"* ]] || { echo "tools/dev --help does not name setup's $option"; exit 1; }
done
env -u HOME -u XDG_CACHE_HOME -u SLUICE_CACHE tools/dev --help | grep -qF "The cache is /"

# A copy that sets nothing up and builds nothing: what is wrongly not refused must do no harm.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/bin" "$copy/build/release"
cp -r tools "$copy/tools"
printf '#!/bin/sh\n' > "$copy/tools/dev.d/setup.sh"
for program in cmake ninja; do
  printf '#!/bin/sh\nexit 1\n' > "$copy/bin/$program"
  chmod +x "$copy/bin/$program"
done
touch "$copy/build/release/build.ninja"
echo "$copy/cache" > "$copy/build/release/.sluice_cache"
copied() { env PATH="$copy/bin:$PATH" SLUICE_CACHE="$copy/cache" "$copy/tools/dev" "$@"; }

for verb in build demo test format lint bench nightly device clean; do
  for option in -h --help; do
    said=$(copied "$verb" "$option" 2>&1) || true
    [[ $said == usage:* ]] || { echo "tools/dev $verb $option says '$said' instead of how it is used"; exit 1; }
  done
done
refused "build: 'relase' is neither a preset (dev, release, asan, " copied build relase
refused "nightly: unknown argument 'bogus'" copied nightly bogus
refused "clean: unknown argument 'bogus'" copied clean --cache bogus
