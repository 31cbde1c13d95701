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
help=$(tools/dev --help)
for verb in setup build demo test format lint bench nightly device clean; do
  [[ $help == *"  $verb "* ]] || { echo "tools/dev --help does not name $verb"; exit 1; }
  [ -x "tools/dev.d/$verb.sh" ] || { echo "tools/dev.d/$verb.sh is not executable"; exit 1; }
done
