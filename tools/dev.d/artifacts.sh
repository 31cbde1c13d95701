# shellcheck shell=bash
# What the cache holds: which paths belong to which artifact, and whether they are whole.
# An artifact is whole when its stamp fits (pin, and size and time of every file: fast) or, failing
# that, when its content has the pinned hash (then the stamp is renewed). Else it is fetched again.

artifacts_default='ort-headers ort-lib qnn blazeface blazeface-batch ocr-models movie face720 dlib-faces onnx-testdata light-models'

artifact_paths() {
  case $1 in
    ort-headers) echo onnxruntime/include ;;
    ort-lib) echo onnxruntime/lib ;;
    qnn) echo qnn ;;
    blazeface) echo models/face_detection_front_128x128.onnx models/face_detection_back_256x256.onnx models/LICENSE.blazeface ;;
    blazeface-batch) echo models/face_detection_front_128x128_batch.onnx ;;
    ocr-models) echo ocr-models ;;
    movie) echo videos/movie-hello.mp4 ;;
    face720) echo videos/face720.mp4 ;;
    dlib-faces) echo dlib-faces ;;
    onnx-testdata) echo onnx-testdata ;;
    light-models) echo light-models ;;
    tbb-tsan) echo tbb-tsan ;;
    sysroot) echo sysroot ;;
    *) bad_usage "unknown artifact '$1', allowed: $artifacts_default tbb-tsan sysroot" ;;
  esac
}

# Prints the rest of a line of deps.lock: lock archive|content NAME. SLUICE_ARCH: for another machine than this one.
lock() {
  awk -v kind="$1" -v name="$2" -v arch="${SLUICE_ARCH:-$(uname -m)}" \
    '$1 == kind && $2 == name && ($3 == "any" || $3 == arch) { $1 = $2 = $3 = ""; sub(/^ */, ""); print; exit }' \
    "$ROOT/tools/dev.d/deps.lock"
}

# One hash over the names and bytes of an artifact's files below the folder $1; the other arguments are its paths.
content_hash() {
  (cd "$1" && shift && find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum | sha256sum | cut -d' ' -f1)
}

stamp_file() { echo "$SLUICE_CACHE/.stamps/$1"; }

# What the stamp of an artifact should say: its pin, then a hash of the names, sizes and times of its files.
stamp_text() {
  local paths
  read -ra paths <<< "$(artifact_paths "$1")"
  lock content "$1"
  if [ "$1" = sysroot ]; then sha256sum < "$ROOT/tools/dev.d/sysroot.sh"; fi  # its packages are listed there
  (cd "$SLUICE_CACHE" && find "${paths[@]}" ! -type d -printf '%p %s %T@\n' 2> /dev/null | LC_ALL=C sort | sha256sum)
}

stamp() {
  mkdir -p "$SLUICE_CACHE/.stamps"
  stamp_text "$1" > "$(stamp_file "$1").new"
  mv "$(stamp_file "$1").new" "$(stamp_file "$1")"
}

stamped() { [ -f "$(stamp_file "$1")" ] && [ "$(cat "$(stamp_file "$1")")" = "$(stamp_text "$1")" ]; }

# True when every path is there and the content has the pinned hash (or has none to compare with).
content_fits() {
  local paths path pin strict
  read -ra paths <<< "$(artifact_paths "$1")"
  for path in "${paths[@]}"; do [ -e "$2/$path" ] || return 1; done
  read -r pin strict <<< "$(lock content "$1")"
  [ -n "$pin" ] && [ "$(content_hash "$2" "${paths[@]}")" = "$pin" ]
}

whole() {
  if stamped "$1"; then return 0; fi
  if content_fits "$1" "$SLUICE_CACHE"; then stamp "$1"; else return 1; fi
}

# Moves a finished artifact from the scratch folder $2 to its place; refuses another content than the pinned one.
put_artifact() {
  local path paths pin strict
  read -ra paths <<< "$(artifact_paths "$1")"
  read -r pin strict <<< "$(lock content "$1")"
  if ! content_fits "$1" "$2" && [ "$strict" != '' ]; then
    case $strict in
      exact) die "$1 is not what deps.lock pins: wanted $pin, got $(content_hash "$2" "${paths[@]}")" ;;
      *) say "warning: $1 differs from the pinned one ($(content_hash "$2" "${paths[@]}")); figures may differ too" ;;
    esac
  fi
  for path in "${paths[@]}"; do
    mkdir -p "$(dirname "$SLUICE_CACHE/$path")"
    if [ -e "$SLUICE_CACHE/$path" ]; then
      mkdir -p "$2/.old/$(dirname "$path")"
      mv "$SLUICE_CACHE/$path" "$2/.old/$path"
    fi
    mv "$2/$path" "$SLUICE_CACHE/$path"
  done
  stamp "$1"
}
