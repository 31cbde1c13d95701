#!/usr/bin/env bash
# quantized_models.sh BIN: makes the integer models of pipelines/ with BIN/sluice, into the cache. Quiet and quick when they
# are there and were made from the same model by the same quantiser.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

program=$1/sluice
float=$SLUICE_CACHE/models/face_detection_front_128x128.onnx
model=${float%.onnx}.w8a16.onnx
stamp=$SLUICE_CACHE/.stamps/quantized-models

# What the result depends on (the quantiser's sources, how pictures are prepared, the float model), then the result.
state() {
  local sources
  mapfile -d '' sources < <(find quantize nodes/pixels inference/value_histogram.* \( -name '*.cc' -o -name '*.h' \) -print0 | LC_ALL=C sort -z)
  sha256sum "${sources[@]}" tools/dev.d/quantized_models.sh pipelines/face_fast.yaml "$float" "$model" | cut -d' ' -f1 | sha256sum
}

cd "$ROOT"
if [ -f "$model" ] && [ "$(cat "$stamp" 2> /dev/null)" = "$(state)" ]; then exit 0; fi
say "making ${model##*/}"
quietly "$program" quantize "$float" --scheme w8a16 --data data/dlib-faces --preprocess pipelines/face_fast.yaml#pre \
  -o "$model" --force
mkdir -p "${stamp%/*}"
state > "$stamp.new"
mv "$stamp.new" "$stamp"
