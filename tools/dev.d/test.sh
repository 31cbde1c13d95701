#!/usr/bin/env bash
# tools/dev test [CTEST ARGUMENTS]: builds release and runs the tests; the last line is 'N passed, N failed'.
# SLUICE_PRESET chooses another build; SLUICE_LABELS, labels of tests, builds and runs only those. Tests labelled
# `slow` run in nightly and when asked for by arguments.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [ "${1:-}" = --help ]; then echo "usage: [SLUICE_PRESET=release] [SLUICE_LABELS='framework nodes'] tools/dev test [ctest arguments]"; exit 0; fi
preset=${SLUICE_PRESET:-release}
read -ra labels <<< "${SLUICE_LABELS:-}"
"$ROOT/tools/dev" build "$preset" "${labels[@]/#/tests_}"

# LeakSanitizer cannot see into the closed library; the rest is Sluice's own.
export LSAN_OPTIONS=${LSAN_OPTIONS:-suppressions=$ROOT/tests/suppressions/lsan.txt:print_suppressions=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=0:second_deadlock_stack=1:suppressions=$ROOT/tests/suppressions/tsan.txt}

export CTEST_PARALLEL_LEVEL=${CTEST_PARALLEL_LEVEL:-$(nproc)}
if [ $# -eq 0 ] && [ -z "${SLUICE_NIGHTLY:-}" ]; then set -- -LE '^slow$'; fi
if [ ${#labels[@]} -gt 0 ]; then
  pattern=$(IFS='|'; echo "${labels[*]}")
  set -- -L "^($pattern)\$" "$@"
fi
junit=$ROOT/build/$preset/test_results.xml
rm -f "$junit"
status=0
ctest --test-dir "$ROOT/build/$preset" --output-on-failure --test-output-truncation head --no-tests=error --output-junit "$junit" "$@" || status=$?
python3 "$ROOT/tools/dev.d/test_summary.py" "$junit" || status=1
exit "$status"
