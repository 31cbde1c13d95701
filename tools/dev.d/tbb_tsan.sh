# shellcheck shell=bash
# oneTBB built with ThreadSanitizer from the distribution's source package, of the version that is installed:
# with the plain library TSan reports what is no race, and suppressing that hides what is one.

# A private copy of the host's package sources with source packages switched on; the host's own stay as they are.
source_lists() {
  mkdir -p apt/parts apt/lists/partial apt/cache/archives/partial
  local file
  for file in /etc/apt/sources.list.d/*.sources; do
    if [ -e "$file" ]; then sed -E 's/^Types:.*/Types: deb-src/' "$file" > "apt/parts/$(basename "$file")"; fi
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    if [ -e "$file" ]; then sed -nE 's/^deb(-src)?[[:space:]]/deb-src /p' "$file" | sort -u > "apt/parts/$(basename "$file" .list).list"; fi
  done
  apt_private=(-q -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$PWD/apt/parts"
    -o "Dir::State::Lists=$PWD/apt/lists" -o "Dir::Cache=$PWD/apt/cache" -o APT::Sandbox::User=root)
  quietly apt-get "${apt_private[@]}" update
}

make_tbb_tsan() {
  local version source_dir prefix=$PWD/tbb-tsan
  version=$(dpkg-query -W -f '${source:Version}' libtbb-dev)
  source_lists
  quietly apt-get "${apt_private[@]}" source --download-only "onetbb=$version" ||
    quietly apt-get "${apt_private[@]}" source --download-only onetbb
  quietly dpkg-source -x ./*.dsc onetbb
  source_dir=$PWD/onetbb
  say "building oneTBB $version with ThreadSanitizer (about a minute)"
  quietly cmake -S "$source_dir" -B build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTBB_SANITIZE=thread \
    -DTBB_TEST=OFF -DTBB_STRICT=OFF -DTBBMALLOC_BUILD=OFF -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib
  quietly cmake --build build --target install
}
