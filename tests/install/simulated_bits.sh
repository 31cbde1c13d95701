#!/usr/bin/env bash
# simulated_bits.sh PROGRAM...: a simulated thermal test gives the committed bytes on every machine. PROGRAM may be an
# emulator and its options before sluice. When the simulation is changed on purpose: the new sum, with the reason, here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Last: the load's last window holds the frames that are done a little after it, not the recovery's first.
want=32af34e94078309f4f6beb8e8163264e7358c6fbe14f5e77e3044f58d6bdece2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Long enough for the governor to slow it down; the policy that predicts nothing, so that a better prediction changes nothing.
timeout --kill-after=5 200 "$@" thermal pipelines/face_detect.yaml --device sim:qcs6490 --ambient 35 --pace max \
  --duration 5m --recovery 20s --policies fixed --csv "$scratch/windows.csv" --quiet > "$scratch/log" ||
  { cat "$scratch/log"; exit 1; }
got=$(sha256sum < "$scratch/windows.csv" | cut -d ' ' -f 1)
[ "$got" = "$want" ] || { echo "other bytes than committed: sha256 is $got"; cat "$scratch/windows.csv"; exit 1; }
