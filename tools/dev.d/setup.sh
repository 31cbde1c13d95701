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
# shellcheck source=sysroot.sh
source "$ROOT/tools/dev.d/sysroot.sh"

lint='' tsan='' bench='' aarch64='' device='' verify='' only=''
while [ $# -gt 0 ]; do
  case $1 in
    --lint) lint=1 ;;
    --tsan) tsan=1 ;;
    --bench) bench=1 ;;
    --aarch64) aarch64=1 ;;
    --device) device=1 ;;
    --verify) verify=1 ;;
    --only)
      [ -n "${2:-}" ] || bad_usage "setup: --only wants the name of an artifact of tools/dev.d/deps.lock"
      only=$2
      shift
      ;;
    -h | --help) echo "usage: tools/dev setup [--lint] [--tsan] [--bench] [--aarch64] [--device] [--verify] [--only NAME]"; exit 0 ;;
    *) bad_usage "setup: unknown argument '$1', allowed: --lint, --tsan, --bench, --aarch64, --device, --verify, --only NAME" ;;
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

if [ -n "$aarch64" ] && [ "$(uname -m)" = aarch64 ]; then
  die "this machine is aarch64 itself; build and test the preset 'release'"
fi

wanted=$only
if [ -z "$only" ]; then
  packages=("${packages_build[@]}")
  if [ -n "$lint" ]; then read -ra lint_names <<< "$(lint_packages "$(llvm_version)")"; packages+=("${lint_names[@]}"); fi
  if [ -n "$tsan" ]; then packages+=("${packages_tsan[@]}"); fi
  if [ -n "$bench" ]; then packages+=("${packages_bench[@]}"); fi
  if [ -n "$aarch64" ]; then packages+=("${packages_aarch64[@]}"); fi
  if [ -n "$device" ]; then packages+=("${packages_device[@]}"); fi
  install_packages "${packages[@]}"
  wanted="$artifacts_default${tsan:+ tbb-tsan}"
  if system_onnxruntime; then wanted=${wanted/ort-headers ort-lib /}; fi
fi
for name in $wanted; do artifact_paths "$name" > /dev/null; done
if [ -n "$verify" ]; then for name in $wanted; do rm -f "$(stamp_file "$name")"; done; fi

mkdir -p "$SLUICE_CACHE"
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

# What only aarch64 programs use lies in a cache of its own inside this one.
if [ -n "$aarch64" ]; then
  for name in sysroot ort-lib qnn; do
    SLUICE_CACHE=$SLUICE_CACHE/aarch64 SLUICE_ARCH=aarch64 "$ROOT/tools/dev.d/setup.sh" --only "$name" ${verify:+--verify}
  done
fi
