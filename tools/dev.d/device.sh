#!/usr/bin/env bash
# tools/dev device HOST: takes Sluice and a packaged pipeline to a device, runs doctor, a short test and a profile there,
# and brings back a labelled report folder. docs/board.md.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=device_link.sh
source "$ROOT/tools/dev.d/device_link.sh"

usage='tools/dev device HOST|adb:SERIAL [--pipeline FILE] [--folder DIR] [--reports DIR] [--frames N] [--duration TIME] [--backend NAME] [--tree DIR] [--ssh-config FILE]'
host='' pipeline=$ROOT/pipelines/face_fast.yaml folder='' reports=$ROOT/device_reports
frames=100 duration=10s backend=all tree='' ssh_config=''
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) echo "usage: $usage"; exit 0 ;;
    --pipeline | --folder | --reports | --frames | --duration | --backend | --tree | --ssh-config)
      [ $# -ge 2 ] || bad_usage "device: $1 wants a value; usage: $usage"
      name=${1#--}
      printf -v "${name//-/_}" %s "$2"
      shift
      ;;
    -*) bad_usage "device: unknown argument '$1'; usage: $usage" ;;
    *) [ -z "$host" ] || bad_usage "device: two hosts, '$host' and '$1'"; host=$1 ;;
  esac
  shift
done
[ -n "$host" ] || bad_usage "usage: $usage"
[[ $frames =~ ^[1-9][0-9]*$ ]] || bad_usage "device: --frames '$frames' is no number from 1"
[[ $duration =~ ^[0-9]+(ms|s|m|h)$ ]] || bad_usage "device: --duration '$duration' is no time, allowed: 500ms, 10s, 5m, 1h"
[[ $backend =~ ^[a-z]+$ ]] || bad_usage "device: --backend '$backend' is no backend's name, allowed: all, or one of 'sluice doctor'"
link_to "$host" "$ssh_config"
if [ -z "$folder" ]; then if [ "$link" = adb ]; then folder=/data/local/tmp/sluice; else folder=sluice; fi; fi
# It is written into commands of the device's shell.
[[ $folder =~ ^[A-Za-z0-9._/+-]+$ && $folder != -* ]] ||
  bad_usage "device: --folder '$folder' has characters that are not allowed (letters, digits, . _ / + -)"

scratch=$(mktemp -d)
device_command_file=$scratch/command
incoming=''
# A copy that was broken off does not stay.
clean_up() {
  if [ -n "$incoming" ]; then on_device "rm -rf '$incoming'" < /dev/null > /dev/null 2>&1 || true; fi
  rm -rf "$scratch"
}
trap clean_up EXIT

# step NAME ADVICE COMMAND...: a failure says all that is needed to go on. The parts of a step are chained by &&,
# because 'set -e' does not hold inside.
step() {
  local name=$1 advice=$2 status=0
  shift 2
  say "$host: $name"
  echo "$*" > "$device_command_file"
  "$@" 2> "$scratch/errors" || status=$?
  if [ "$status" = 0 ]; then
    cat "$scratch/errors" >> "$scratch/messages"
    return
  fi
  cat "$scratch/errors" >&2
  die "$host: step '$name' failed with exit code $status at '$(cat "$device_command_file")'; $advice"
}

look_at_device() {
  local soc='cat /sys/devices/soc0/machine 2> /dev/null || tr -d "\000" 2> /dev/null < /proc/device-tree/model || echo unknown'
  on_device "uname -m; uname -a; { $soc; }" < /dev/null > "$scratch/facts" &&
    [ "$(wc -w < "$scratch/facts")" -gt 2 ]
}

fails_with_the_end_of() { # LOG
  tail -n 50 "$1" >&2
  return 1
}

# The tree that fits the device's processor: programs, libraries, and for aarch64 ONNX Runtime and QNN too.
install_tree() {
  local preset
  case $architecture in
    "$(uname -m)") preset=release ;;
    aarch64) preset=aarch64 ;;
    *)
      echo "no preset builds for '$architecture', allowed: $(uname -m), aarch64" >&2
      return 1
      ;;
  esac
  { "$ROOT/tools/dev" build "$preset" > "$scratch/log" || fails_with_the_end_of "$scratch/log"; } &&
    cmake --install "$ROOT/build/$preset" --prefix "$scratch/outgoing/tree" > /dev/null
}

copy_tree() { [ -x "$tree/bin/sluice" ] && cp -a "$tree" "$scratch/outgoing/tree"; }

make_package() {
  local program=${SLUICE_PROGRAM:-$ROOT/build/release/bin/sluice}
  { [ -x "$program" ] || "$ROOT/tools/dev" build release > "$scratch/log" || fails_with_the_end_of "$scratch/log"; } &&
    "$program" package "$pipeline" -o "$scratch/outgoing/package"
}

make_incoming() { incoming=$(on_device "mkdir -p '$folder' && mktemp -d '$folder/incoming.XXXXXX'" < /dev/null); }

# Everything arrived, or nothing takes the place of what is there.
put_in_place() {
  (cd "$scratch/outgoing" && find . -type f -exec sha256sum {} +) > "$scratch/sums" &&
    on_device "cd '$incoming' && sha256sum -c - > /dev/null" < "$scratch/sums" &&
    on_device "cd '$folder' && rm -rf previous && { [ ! -e current ] || mv current previous; } && mv '${incoming##*/}' current && rm -rf previous" < /dev/null &&
    incoming=''
}

sluice_there() { on_device "cd '$folder/current' && tree/bin/sluice $1" < /dev/null; }

run_doctor() { sluice_there doctor > "$report/doctor.txt" && sluice_there 'doctor --json' > "$report/doctor.json"; }

run_test() {
  sluice_there "run package --frames $frames --quiet --report report.json" > "$report/results.jsonl" &&
    on_device "cat '$folder/current/report.json'" < /dev/null > "$report/run.json"
}

# Each model of the package, on each backend of the device.
run_profiles() {
  local model name
  while IFS= read -r model; do
    name=${model#models/}
    name=${name//\//_}
    sluice_there "profile $(printf %q "package/$model") --backend $backend --duration $duration --json" \
      > "$report/profile_${name%.onnx}.json" || return
  done < <(cd "$scratch/outgoing/package" && find . -path './models/*.onnx' -printf '%P\n' | LC_ALL=C sort)
}

write_label() {
  local commit
  commit=$(git -C "$ROOT" rev-parse HEAD 2> /dev/null || echo unknown)
  if [ -n "$(git -C "$ROOT" status --porcelain 2> /dev/null)" ]; then commit+=' with local changes'; fi
  cat > "$report/label.txt" <<TEXT
date: $started
host: $host
uname: $(sed -n 2p "$scratch/facts")
soc: $(sed -n 3p "$scratch/facts")
commit: $commit
pipeline: $pipeline
test: $frames frames; profile: $duration on backend $backend
TEXT
}

# The report gets its name when it is whole; an older one of that name keeps it.
finish_report() {
  local name number=1
  cp "$scratch/messages" "$report/messages.txt"
  name=$reports/${started//:/}_${host//[^A-Za-z0-9._-]/_}
  result=$name
  until mkdir "$result" 2> /dev/null; do
    number=$((number + 1))
    result=${name}_$number
  done
  mv -T "$report" "$result"
}

started=$(date -u +%Y-%m-%dT%H:%M:%SZ)
step 'reach the device' "$(link_advice)" look_at_device
architecture=$(sed -n 1p "$scratch/facts")
mkdir -p "$scratch/outgoing"
if [ -n "$tree" ]; then
  step 'take the tree along' "--tree must name what 'cmake --install' made" copy_tree
else
  step 'build' "see the message above" install_tree
fi
step 'package' "'sluice check $pipeline' says more about a pipeline" make_package
step 'make a folder there' "the device needs a writable '$folder'; --folder names another" make_incoming
step 'copy' "is '$folder' on the device full? what arrived is removed" put_on_device "$scratch/outgoing" "$incoming"
step 'check the copy and put it in place' "nothing was replaced; run it again" put_in_place
mkdir -p "$reports"
report=$(mktemp -d "$reports/incomplete.XXXXXX")
chmod 755 "$report"
write_label
step 'doctor' "is a library missing on the device? docs/board.md lists its packages" run_doctor
step 'short test' "the device's own answer is above; '$report' has what came back so far" run_test
step 'profile' "--backend cpu leaves the other backends out; '$report' has what came back so far" run_profiles
finish_report
say "$host: report in $result"
cat "$result/doctor.txt"
