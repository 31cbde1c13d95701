# shellcheck shell=bash
# What an aarch64 program finds on a Debian board, as a folder: Debian's arm64 packages, unpacked. No foreign
# architecture is added to the host and none of its packages is touched: apt works on a state of its own.

# The counterparts of packages_build (packages.sh) that are linked or included, and what a test loads.
sysroot_packages=(
  libc6-dev libstdc++-12-dev
  libtbb-dev libyaml-cpp-dev libspdlog-dev libfmt-dev libopencv-dev libboost-dev nlohmann-json3-dev libcli11-dev
  libavcodec-dev libavformat-dev libavutil-dev libswscale-dev
  opencl-c-headers ocl-icd-libopencl1
  libonnx-dev libprotobuf-dev protobuf-compiler libzip-dev
  libgtest-dev libgmock-dev
)

# The distribution's own sources, for any architecture; those of others may have no arm64.
sysroot_sources() {
  local file
  mkdir -p apt/parts
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
    [ -e "$file" ] || continue
    sed -E -e '/^Architectures:/d' -e 's/^(deb\s+\[[^]]*)\barch=[^] ]+/\1/' "$file" > "apt/parts/${file##*/}"
  done
  # apt reads parts by their ending.
  if [ -e apt/parts/sources.list ]; then mv apt/parts/sources.list apt/parts/debian.list; fi
}

sysroot_apt_configuration() {
  mkdir -p apt/lists/partial apt/archives/partial
  : > apt/status
  cat <<TEXT
APT::Architecture "arm64";
APT::Architectures {"arm64";};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$PWD/apt/parts";
Dir::State "$PWD/apt";
Dir::State::lists "$PWD/apt/lists";
Dir::State::status "$PWD/apt/status";
Dir::Cache "$PWD/apt";
Dir::Cache::archives "$PWD/apt/archives";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Languages "none";
Debug::NoLocking "true";
TEXT
}

download_sysroot_packages() {
  sysroot_sources
  sysroot_apt_configuration > apt/apt.conf
  local apt=(env "APT_CONFIG=$PWD/apt/apt.conf" apt-get -q -y)
  quietly "${apt[@]}" update
  quietly "${apt[@]}" --download-only install "${sysroot_packages[@]}"
}

# Unpacks ./apt/archives into ./sysroot, without documentation and translations.
unpack_sysroot_packages() {
  local folder
  mkdir -p sysroot/usr
  for folder in lib bin sbin; do
    mkdir "sysroot/usr/$folder"
    ln -s "usr/$folder" "sysroot/$folder"
  done
  # shellcheck disable=SC2016  # for the inner shell
  find apt/archives -name '*.deb' -print0 | xargs -0 -P "$(nproc)" -I{} bash -o pipefail -c '
    dpkg-deb --fsys-tarfile "$1" | tar -x -C sysroot --keep-directory-symlink --no-same-owner \
      --exclude=./usr/share/{doc,man,info,locale,icons,fonts,mime,perl,zoneinfo} --exclude=./usr/lib/python3' unpack {}
}

# What package scripts and the alternatives system would have done.
finish_sysroot() {
  local library link target
  for library in blas lapack; do
    link=sysroot/usr/lib/aarch64-linux-gnu/lib$library.so.3
    if [ ! -e "$link" ] && [ -e "${link%/*}/$library/lib$library.so.3" ]; then ln -s "$library/lib$library.so.3" "$link"; fi
  done
  # Absolute links would lead to the host.
  while IFS= read -r -d '' link; do
    target=$(readlink "$link")
    ln -sfn "$(realpath -m --relative-to="$(dirname "$link")" "sysroot$target")" "$link"
  done < <(find sysroot -type l -lname '/*' -print0)
  # ONNX Runtime asks here what the processor can do; QEMU would show it the host's file, and it crashes.
  mkdir -p sysroot/proc
  cp "$ROOT/tools/dev.d/aarch64_cpuinfo.txt" sysroot/proc/cpuinfo
}

make_sysroot() {
  local id
  id=$(sed -nE 's/^ID="?([^"]*)"?$/\1/p' /etc/os-release)
  [ "$id" = debian ] || die "the sysroot for aarch64 is made of Debian's arm64 packages, and this is '$id'; use a Debian 12"
  download_sysroot_packages
  unpack_sysroot_packages
  finish_sysroot
}
