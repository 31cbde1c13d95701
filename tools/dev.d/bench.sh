#!/usr/bin/env bash
# tools/dev bench [NAME] [ARGUMENTS]: runs build/release/bin/bench_NAME; `video` compares the face pipeline with the
# hand-written programs of tests/bench/baseline, with GStreamer and with MediaPipe, `streams` one to sixteen streams,
# `quantizers` our quantiser with onnxruntime.quantization; `float16` says what float16 storage alone costs a model.
# MediaPipe and the scripts get Python environments of their own in the cache. --ahead measures on a machine that is not quiet. Without a name: all programs, one after the other.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [ "${1:-}" = --help ]; then echo "usage: tools/dev bench [name] [arguments of the benchmark]"; exit 0; fi
"$ROOT/tools/dev" setup --bench
cd "$ROOT"
# A build folder from before GStreamer was installed does not know it.
if [ -f build/release/build.ninja ] && [ ! -x build/release/bench/bench_gstreamer_faces ]; then quietly cmake build/release; fi
"$ROOT/tools/dev" build release
shopt -s nullglob
programs=(build/release/bin/bench_*)
names="$(printf '%s, ' "${programs[@]##*/bench_}")video, streams, quantizers, float16"

# A Python environment in the cache with exactly the packages of tests/bench/NAME_requirements.txt; its interpreter is
# then $SLUICE_CACHE/venv-NAME/bin/python. Complete when its copy of the list lies beside it.
make_environment() {
  local requirements=tests/bench/$1_requirements.txt venv=$SLUICE_CACHE/venv-$1
  if cmp -s "$requirements" "$venv/requirements.txt"; then return; fi
  rm -rf "$venv"
  python3 -m venv "$venv" && quietly "$venv/bin/pip" install -q --no-deps --require-hashes --only-binary=:all: \
    -r "$requirements" && cp "$requirements" "$venv/requirements.txt"
}

compare() { python3 tests/bench/compare.py "$1" --build build/release "${@:2}"; }

compare_video() {
  local mediapipe=()
  if make_environment mediapipe; then
    mediapipe=(--mediapipe "$SLUICE_CACHE/venv-mediapipe/bin/python")
  else
    say "MediaPipe cannot be installed here, so it takes no part in the comparison"
  fi
  compare video "${mediapipe[@]}" "$@"
}

# A script on ONNX and ONNX Runtime.
run_script() {
  make_environment quantizers
  "$SLUICE_CACHE/venv-quantizers/bin/python" "tests/bench/$1.py" "${@:2}"
}

if [ $# -gt 0 ]; then
  case $1 in
    video) compare_video "${@:2}"; exit ;;
    streams) compare "$@"; exit ;;
    quantizers) run_script compare_quantizers "${@:2}"; exit ;;
    float16) run_script float16_rounding "${@:2}"; exit ;;
  esac
  program=build/release/bin/bench_${1#bench_}
  [ -x "$program" ] || bad_usage "bench: no benchmark '$1', there are: $names"
  shift
  exec "$program" "$@"
fi

status=0
for program in "${programs[@]}"; do
  echo "== ${program##*/}"
  "$program" || status=1
done
for model in 128 256; do
  echo "== video, model $model"
  compare_video --model "$model" --check || status=1
done
echo "== streams"
compare streams --check || status=1
exit "$status"
