#!/usr/bin/env bash
# tools/dev setup: a damaged, a missing and a half-made artifact are made again; a whole one is left alone; two
# set-ups at once do not disturb each other. Uses the artifact that is made from another one: no network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

real=${SLUICE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sluice}
[ -f "$real/models/face_detection_front_128x128.onnx" ] || { echo "run tools/dev setup first"; exit 1; }
SLUICE_CACHE=$(mktemp -d)
export SLUICE_CACHE
trap 'rm -rf "$SLUICE_CACHE"' EXIT
mkdir "$SLUICE_CACHE/models"
cp "$real"/models/{face_detection_front_128x128.onnx,face_detection_back_256x256.onnx,LICENSE.blazeface} "$SLUICE_CACHE/models/"

model=$SLUICE_CACHE/models/face_detection_front_128x128_batch.onnx
setup() { tools/dev setup --only blazeface-batch 2>&1; }
hash_of_model() { sha256sum < "$model"; }
expect() { [ "$1" = "$2" ] || { echo "$3: '$1' instead of '$2'"; exit 1; }; }

setup > /dev/null
good=$(hash_of_model)
expect "$(setup)" '' 'a second set-up says something'

printf 'x' | dd of="$model" bs=1 seek=1000 conv=notrunc status=none
[ "$(hash_of_model)" != "$good" ]
setup > /dev/null
expect "$(hash_of_model)" "$good" 'a damaged file was not repaired'

truncate -s 100 "$model"
setup > /dev/null
expect "$(hash_of_model)" "$good" 'a truncated file was not repaired'

rm "$model"
setup > /dev/null
expect "$(hash_of_model)" "$good" 'a missing file was not replaced'

touch -d yesterday "$model"
expect "$(setup)" '' 'a file with another time but the right content was made again'

rm "$model"
mkdir -p "$SLUICE_CACHE/.scratch/blazeface-batch.killed"
setup > /dev/null & first=$!
setup > /dev/null & second=$!
wait "$first"
wait "$second"
expect "$(hash_of_model)" "$good" 'two set-ups at once'
expect "$(find "$SLUICE_CACHE/.scratch" -mindepth 1 2> /dev/null)" '' 'scratch files were left'
