#!/usr/bin/env bash
# emulated_test.sh BUILD EMULATOR...: installs a cross build and runs the installed program under the emulator as a board
# would: doctor knows the machine and says why there is no NPU, a test pattern runs, a model finds a face in a video, and a
# simulated device does what it does on x86-64, to the byte.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

build=$(realpath "$1")
shift
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { echo "$*" >&2; exit 1; }

cmake --install "$build" --prefix "$scratch/board" > "$scratch/log" || fail "$(cat "$scratch/log")"
while IFS= read -r -d '' file; do
  # ELF's machine field: AArch64 is 183; the libraries that run on the NPU are Hexagon's (164).
  machine=$(od -An -j18 -N2 -tu2 "$file" | tr -d ' ')
  [ "$(head -c 4 "$file" | tail -c 3)" != ELF ] || [ "$machine" = 183 ] || [[ $file == *Skel.so && $machine = 164 ]] ||
    fail "$file is for another machine: $machine"
done < <(find "$scratch/board" -type f \( -path '*/bin/*' -o -name '*.so*' \) -print0)

sluice() { timeout --kill-after=5 200 "$@" || fail "exit code $?: ${*:2}"; }
sluice "$@" "$scratch/board/bin/sluice" doctor
sluice "$@" "$scratch/board/bin/sluice" doctor --json > "$scratch/doctor.json"
python3 - "$scratch/doctor.json" <<'PY'
import json, sys
machine = json.load(open(sys.argv[1], encoding='utf-8'))
backends = {backend['name']: backend for backend in machine['backends']}
assert machine['architecture'] == 'aarch64', machine['architecture']
assert backends['cpu']['available'], backends['cpu']
assert not backends['htp']['available'] and '/dev/fastrpc-cdsp' in backends['htp']['reason'], backends['htp']
PY

sluice "$@" "$scratch/board/bin/sluice" run pipelines/hello.yaml --frames 4 --quiet > "$scratch/lines"
[ "$(wc -l < "$scratch/lines")" = 2 ] || fail "hello wrote: $(cat "$scratch/lines")"
sluice "$@" "$scratch/board/bin/sluice" run pipelines/face_fast.yaml --frames 2 --quiet > "$scratch/faces"
[ "$(grep -c '"label": "face"' "$scratch/faces")" = 2 ] || fail "face_fast wrote: $(cat "$scratch/faces")"
tests/install/simulated_bits.sh "$@" "$scratch/board/bin/sluice" || fail "a simulated device is another one here"
