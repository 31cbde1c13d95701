#!/usr/bin/env bash
# tools/dev clean [--cache]: removes build/ and data/; --cache also what set-up fetched.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [ $# -gt 1 ]; then bad_usage "clean: unknown argument '$2', allowed: --cache"; fi
case "${1:-}" in
  '') ;;
  --cache) rm -rf "${SLUICE_CACHE:?}"/{models,ocr-models,videos,onnxruntime,qnn,dlib-faces,onnx-testdata,light-models,tbb-tsan,aarch64,venv,venv-quantizers,venv-mediapipe,.venv.lock,ccache,.stamps,.scratch,.lock} ;;
  --help) echo "usage: tools/dev clean [--cache]"; exit 0 ;;
  *) bad_usage "clean: unknown argument '$1', allowed: --cache" ;;
esac
rm -rf "$ROOT/build" "$ROOT/data"
