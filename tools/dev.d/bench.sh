#!/usr/bin/env bash
# tools/dev bench [NAME] [ARGUMENTS]: runs build/release/bin/bench_NAME; `video` compares the face pipeline with the
# hand-written programs of tests/bench/baseline, `streams` one to sixteen streams. Without a name: all of it, one after
# the other.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [ "${1:-}" = --help ]; then echo "usage: tools/dev bench [name] [arguments of the benchmark]"; exit 0; fi
"$ROOT/tools/dev" setup --bench
cd "$ROOT"
# A build folder from before GStreamer was installed does not know it.
if [ -f build/release/build.ninja ] && [ ! -x build/release/bench/bench_gstreamer_faces ]; then quietly cmake build/release; fi
"$ROOT/tools/dev" build release
shopt -s nullglob
programs=(build/release/bin/bench_*)
names="$(printf '%s, ' "${programs[@]##*/bench_}")video, streams"

compare() { python3 tests/bench/compare.py "$1" --build build/release "${@:2}"; }

if [ $# -gt 0 ]; then
  case $1 in video | streams) compare "$@"; exit ;; esac
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
  compare video --model "$model" --check || status=1
done
echo "== streams"
compare streams --check || status=1
exit "$status"
