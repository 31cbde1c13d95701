#!/usr/bin/env bash
# pipelines/schema.json is what the node declarations say.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
if ! diff <("${SLUICE_PROGRAM:-$root/build/release/bin/sluice}" schema) "$root/pipelines/schema.json"; then
  echo "pipelines/schema.json is out of date: build/release/bin/sluice schema > pipelines/schema.json" >&2
  exit 1
fi
