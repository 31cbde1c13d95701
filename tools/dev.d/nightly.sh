#!/usr/bin/env bash
# tools/dev nightly: every preset with all tests, the property and fault runs at full length, the benchmarks.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [ "${1:-}" = --help ]; then echo "usage: tools/dev nightly"; exit 0; fi
if [ $# -gt 0 ]; then bad_usage "nightly: unknown argument '$1'; it takes none"; fi
export SLUICE_NIGHTLY=1
failed=()
phase() {
  local name=$1 start=$SECONDS
  shift
  say "== $name"
  "$@" || failed+=("$name")
  say "== $name took $((SECONDS - start)) s"
}

phase lint "$ROOT/tools/dev" lint --all
for preset in release dev asan tsan; do
  phase "tests, $preset" env SLUICE_PRESET="$preset" "$ROOT/tools/dev" test
done
phase "gpu, 2000 random models" env -C "$ROOT" SLUICE_GPU_MODELS=2000 build/release/bin/gpu_fuzz_test
phase fuzz "$ROOT/tools/dev.d/fuzz.sh" 1800
phase benchmarks "$ROOT/tools/dev" bench
if [ ${#failed[@]} -gt 0 ]; then die "failed: ${failed[*]}"; fi
