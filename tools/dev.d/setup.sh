#!/usr/bin/env bash
# tools/dev setup: packages, then everything of deps.lock, into the cache. Quiet when nothing is to be done.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=packages.sh
source "$ROOT/tools/dev.d/packages.sh"
# shellcheck source=artifacts.sh
source "$ROOT/tools/dev.d/artifacts.sh"
# shellcheck source=fetch.sh
source "$ROOT/tools/dev.d/fetch.sh"
# shellcheck source=tbb_tsan.sh
source "$ROOT/tools/dev.d/tbb_tsan.sh"

lint='' tsan='' bench='' verify='' only=''
while [ $# -gt 0 ]; do
  case $1 in
    --lint) lint=1 ;;
    --tsan) tsan=1 ;;
    --bench) bench=1 ;;
    --verify) verify=1 ;;
    --only) only=${2:?--only wants the name of an artifact}; shift ;;
    -h | --help) echo "usage: tools/dev setup [--lint] [--tsan] [--bench] [--verify] [--only NAME]"; exit 0 ;;
    *) bad_usage "setup: unknown argument '$1', allowed: --lint, --tsan, --bench, --verify, --only NAME" ;;
  esac
  shift
done

# ONNX Runtime is taken from the system when it is pointed at, or new enough.
system_onnxruntime() {
  [ -n "${ONNXRUNTIME_ROOT:-}" ] || pkg-config --atleast-version=1.29 libonnxruntime 2> /dev/null
}

# data/ in the checkout leads to the cache, so that shipped pipelines find their files unedited.
link_data() {
  local name
  mkdir -p "$ROOT/data"
  for name in models ocr-models videos dlib-faces onnx-testdata light-models; do
    if [ "$(readlink "$ROOT/data/$name" 2> /dev/null)" != "$SLUICE_CACHE/$name" ]; then
      ln -sfn "$SLUICE_CACHE/$name" "$ROOT/data/$name"
    fi
  done
}

wanted=$only
if [ -z "$only" ]; then
  packages=("${packages_build[@]}")
  if [ -n "$lint" ]; then read -ra lint_names <<< "$(lint_packages "$(llvm_version)")"; packages+=("${lint_names[@]}"); fi
  if [ -n "$tsan" ]; then packages+=("${packages_tsan[@]}"); fi
  if [ -n "$bench" ]; then packages+=("${packages_bench[@]}"); fi
  install_packages "${packages[@]}"
  wanted="$artifacts_default${tsan:+ tbb-tsan}"
  if system_onnxruntime; then wanted=${wanted/ort-headers ort-lib /}; fi
fi
for name in $wanted; do artifact_paths "$name" > /dev/null; done
if [ -n "$verify" ]; then for name in $wanted; do rm -f "$(stamp_file "$name")"; done; fi

mkdir -p "$SLUICE_CACHE/ccache"
all_stamped() { for name in $wanted; do stamped "$name" || return 1; done; }
if ! all_stamped; then
  exec 9> "$SLUICE_CACHE/.lock"
  if ! flock -n 9; then
    say "waiting for another set-up"
    flock 9
  fi
  rm -rf "$SLUICE_CACHE/.scratch"
  for name in $wanted; do need "$name"; done
fi
if [ -z "$only" ]; then link_data; fi
