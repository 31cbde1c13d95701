#!/usr/bin/env bash
# fuzz.sh SECONDS: builds the fuzz_* programs and shares the seconds among them; findings stay in build/fuzz/findings.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

seconds=${1:?usage: fuzz.sh SECONDS}
cd "$ROOT"
if [ -z "$(git ls-files --cached --others --exclude-standard '*fuzz_*.cc')" ]; then
  say "no fuzz_* programs"
  exit 0
fi
"$ROOT/tools/dev" build fuzz help > /dev/null  # configures
mapfile -t targets < <(ninja -C build/fuzz -t targets all | sed -nE 's,^bin/(fuzz_[^:/]*): .*,\1,p' | sort -u)
[ ${#targets[@]} -gt 0 ] || die "there are fuzz_*.cc files, but the preset 'fuzz' builds none of them"
"$ROOT/tools/dev" build fuzz "${targets[@]}"

# None is for ever to libFuzzer.
each=$((seconds / ${#targets[@]} > 0 ? seconds / ${#targets[@]} : 1))
status=0
before=$(mktemp)
trap 'rm -f "$before"' EXIT
for target in "${targets[@]}"; do
  work=build/fuzz/corpus/$target
  mkdir -p "$work" build/fuzz/findings
  seeds=$(find tests -type d -path "*corpus/${target#fuzz_}" | head -n 1)
  say "fuzzing $target for $each s"
  "build/fuzz/bin/$target" -max_total_time="$each" -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 -verbosity=0 -artifact_prefix=build/fuzz/findings/ "$work" ${seeds:+"$seeds"} || status=1
done
# Last, where whoever reads only the end of a log finds it, and in full: CI keeps no files.
find build/fuzz/findings -type f -newer "$before" | while read -r finding; do
  say "found $finding; as base64:"
  base64 -w 120 "$finding"
done
exit "$status"
