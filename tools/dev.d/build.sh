#!/usr/bin/env bash
# tools/dev build [PRESET] [TARGET...]: set-up where needed, then CMake; compiled objects are kept in the cache.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

presets='dev release asan tsan fuzz aarch64 aarch64-check'
preset=release
case " $presets " in *" ${1:-} "*) preset=$1; shift ;; esac
for argument in "$@"; do
  case $argument in
    -h | --help) echo "usage: tools/dev build [${presets// /|}] [target...]"; exit 0 ;;
    -*) bad_usage "build: unknown argument '$argument', allowed: a preset (${presets// /, }), then targets" ;;
  esac
done

setup=()
case $preset in tsan) setup=(--tsan) ;; fuzz) setup=(--lint) ;; aarch64) setup=(--aarch64) ;; aarch64-check) setup=(--aarch64 --lint) ;; esac
"$ROOT/tools/dev" setup "${setup[@]}"

# Paths are hashed relative to the checkout, so that another clone finds the same objects.
export CCACHE_DIR=${CCACHE_DIR:-$SLUICE_CACHE/ccache} CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1
export CCACHE_SLOPPINESS=time_macros,include_file_ctime,include_file_mtime

cd "$ROOT"
# Configuring again is CMake's own business once it has succeeded for this cache.
if [ ! -f "build/$preset/build.ninja" ] || ! grep -qsxF "$SLUICE_CACHE" "build/$preset/.sluice_cache"; then
  compiler=()
  if [ "$preset" = fuzz ]; then
    llvm=$(llvm_version)
    say_other_llvm "$llvm"
    compiler=("-DCMAKE_C_COMPILER=clang-$llvm" "-DCMAKE_CXX_COMPILER=clang++-$llvm")
  fi
  quietly cmake --fresh --preset "$preset" "${compiler[@]}"
  echo "$SLUICE_CACHE" > "build/$preset/.sluice_cache"
fi
status=0
cmake --build "build/$preset" ${1:+--target "$@"} || status=$?
if [ "$status" -ne 0 ]; then
  for target in "$@"; do
    ninja -C "build/$preset" -t query "$target" > /dev/null 2>&1 ||
      bad_usage "build: '$target' is neither a preset (${presets// /, }) nor a target of preset '$preset'"
  done
  exit "$status"
fi

# Pipelines of this repository name integer models, which the program makes. A target alone may leave it unbuilt.
if [[ $preset != aarch64* ]] && [ -x "build/$preset/bin/sluice" ] && [ -e "build/$preset/lib/sluice/sluice_quantize.so" ]; then
  "$ROOT/tools/dev.d/quantized_models.sh" "build/$preset/bin"
fi
