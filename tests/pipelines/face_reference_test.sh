#!/usr/bin/env bash
# face_reference_test.sh [SLUICE]: the faces that face_detect.yaml finds in the real video, compared frame by frame with
# an independent way (tests/reference): at least 97 % of the frames agree at IoU 0.9.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

sluice=${1:-build/release/bin/sluice}
cache=${SLUICE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice}
requirements=tests/reference/requirements.txt
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# One environment per list of packages, complete when its copy of the list lies beside it.
make_environment() {
  if cmp -s "$requirements" "$cache/venv/requirements.txt"; then return; fi
  rm -rf "$cache/venv"
  python3 -m venv "$cache/venv"
  "$cache/venv/bin/pip" install -q --require-hashes --only-binary=:all: -r "$requirements"
  cp "$requirements" "$cache/venv/"
}

mkdir -p "$cache"
exec 9> "$cache/.venv.lock"
flock 9
make_environment
flock -u 9

"$cache/venv/bin/python" tests/reference/face_reference.py -o "$scratch/reference.jsonl" --min-score 0.5 \
  --model data/models/face_detection_back_256x256.onnx --video data/videos/movie-hello.mp4
"$sluice" run pipelines/face_detect.yaml --quiet --set "preview.path=$scratch/faces.mp4" > "$scratch/ours.jsonl"
python3 tests/reference/compare_detections.py "$scratch/ours.jsonl" "$scratch/reference.jsonl" --min-iou 0.9 --min-share 0.97
