#!/usr/bin/env bash
# simulated_bits.sh PROGRAM...: a simulated thermal test gives the committed bytes on every machine. PROGRAM may be an
# emulator and its options before sluice. When the simulation is changed on purpose: the new sum, with the reason, here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Last: the clock of a window is the mean of what ran in it, not of the governor's cap (one figure of cpu_mhz).
want=b77cc6d72df2bf3db8652f0316bc3fd146af6469375273329ca31e22b698e5d5
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Long enough for the governor to slow it down; the policy that predicts nothing, so that a better prediction changes nothing.
timeout --kill-after=5 200 "$@" thermal pipelines/face_detect.yaml --device sim:qcs6490 --ambient 35 --pace max \
  --duration 5m --recovery 20s --policies fixed --csv "$scratch/windows.csv" --quiet > "$scratch/log" ||
  { cat "$scratch/log"; exit 1; }
got=$(sha256sum < "$scratch/windows.csv" | cut -d ' ' -f 1)
[ "$got" = "$want" ] || { echo "other bytes than committed: sha256 is $got"; cat "$scratch/windows.csv"; exit 1; }
