# shellcheck shell=bash disable=SC2034  # setup.sh reads the groups
# The distribution's packages, in groups, and how to install the missing ones.
# 'name?command' is satisfied by the command too (a tool that was installed another way).

packages_build=(
  g++ cmake ninja-build 'pkg-config?pkg-config' git ccache mold python3 python3-pip python3-numpy 'npm?npm' 'ffmpeg?ffmpeg'
  libtbb-dev libyaml-cpp-dev libspdlog-dev libfmt-dev libopencv-dev libboost-dev nlohmann-json3-dev libcli11-dev
  libavcodec-dev libavformat-dev libavutil-dev libswscale-dev libturbojpeg0-dev libyuv-dev
  pocl-opencl-icd opencl-c-headers ocl-icd-libopencl1
  libonnx-dev protobuf-compiler libprotobuf-dev libzip-dev libpugixml-dev
  libgtest-dev libgmock-dev libbenchmark-dev
  python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good  # the camera of the tests
  'xvfb?Xvfb'                                                      # their display
)
# lint_packages VERSION: for LLVM of that version.
lint_packages() { echo "clang-$1 clang-tidy-$1 clang-format-$1 libclang-rt-$1-dev universal-ctags shellcheck"; }
packages_tsan=(dpkg-dev)
packages_aarch64=(g++-12-aarch64-linux-gnu qemu-user)  # the libraries lie in a sysroot: sysroot.sh
packages_device=(openssh-client openssh-server)        # the test of tools/dev device starts a server
packages_bench=(
  libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev
  gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav
)

missing_packages() {
  local installed item name command
  installed=$(dpkg-query -W -f '${db:Status-Abbrev}|${Package}\n' 2> /dev/null | sed -n 's/^.i *|//p')
  for item in "$@"; do
    name=${item%%\?*}
    command=${item#"$name"}
    command=${command#\?}
    if [ -n "$command" ] && command -v "$command" > /dev/null; then continue; fi
    case $'\n'"$installed"$'\n' in *$'\n'"$name"$'\n'*) ;; *) echo "$name" ;; esac
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

refresh_package_lists() {
  if [ -z "${lists_fresh:-}" ]; then quietly as_root apt-get update -q && lists_fresh=1; fi
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  if [ ${#missing[@]} = 0 ]; then return 0; fi
  command -v apt-get > /dev/null || die "this is no Debian or Ubuntu; please install by hand: ${missing[*]}"
  if [ "$(id -u)" != 0 ] && ! command -v sudo > /dev/null; then
    die "not root and no sudo; please have these packages installed: ${missing[*]}"
  fi
  say "installing ${missing[*]}"
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends)
  if ! apt-cache show "${missing[@]}" > /dev/null 2>&1; then refresh_package_lists || true; fi
  if as_root "${install[@]}" "${missing[@]}" > /dev/null 2>&1; then return 0; fi
  refresh_package_lists || true
  quietly as_root "${install[@]}" "${missing[@]}" || die "these packages could not be installed: ${missing[*]}"
}
