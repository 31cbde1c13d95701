#!/usr/bin/env bash
# tools/dev demo [RUN ARGUMENTS]: finds faces in a real video and says what was found and how fast.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [ "${1:-}" = --help ]; then echo "usage: tools/dev demo [arguments of sluice run]"; exit 0; fi
"$ROOT/tools/dev" build release sluice_with_modules

out=$ROOT/build/demo
mkdir -p "$out"
cd "$ROOT"
build/release/bin/sluice run pipelines/face_detect.yaml \
  --set "preview.path=$out/face_detect.mp4" --set preview.overwrite=true \
  --set "out.path=$out/face_detect.jsonl" --set out.overwrite=true \
  --report "$out/report.json" "$@"
python3 tools/dev.d/demo_summary.py "$out"
