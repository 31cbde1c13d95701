#!/usr/bin/env bash
# tools/dev bench [NAME] [ARGUMENTS]: runs build/release/bin/bench_NAME, or all of them one after the other; `video`
# compares the face pipeline with the hand-written programs of tests/bench/baseline, `quantizers` our quantiser with
# onnxruntime.quantization (in a Python environment of its own, in the cache).
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [ "${1:-}" = --help ]; then echo "usage: tools/dev bench [name] [arguments of the benchmark]"; exit 0; fi
"$ROOT/tools/dev" build release
cd "$ROOT"
shopt -s nullglob
programs=(build/release/bin/bench_*)
names=$(printf ', %s' "${programs[@]##*/bench_}")
names=${names:2}
if [ "${1:-}" = video ]; then
  shift
  exec python3 tests/bench/compare.py video --build build/release "$@"
fi
if [ "${1:-}" = quantizers ]; then
  shift
  requirements=tests/bench/quantizers_requirements.txt
  venv=$SLUICE_CACHE/venv-quantizers
  if ! cmp -s "$requirements" "$venv/requirements.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    quietly "$venv/bin/pip" install -q --require-hashes --only-binary=:all: -r "$requirements"
    cp "$requirements" "$venv/requirements.txt"
  fi
  exec "$venv/bin/python" tests/bench/compare_quantizers.py "$@"
fi
if [ $# -gt 0 ]; then
  programs=("build/release/bin/bench_${1#bench_}")
  [ -x "${programs[0]}" ] || bad_usage "bench: no benchmark '$1', there are: $names"
  shift
fi
status=0
for program in "${programs[@]}"; do
  echo "== ${program##*/}"
  "$program" "$@" || status=1
done
exit "$status"
