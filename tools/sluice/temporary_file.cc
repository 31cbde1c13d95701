#include "tools/sluice/temporary_file.h"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

namespace sluice::cli {

namespace fs = std::filesystem;

Result<TemporaryFile> TemporaryFile::make(const std::string& pattern, std::string_view content) {
  std::error_code error;
  std::string name = (fs::temp_directory_path(error) / pattern).string();
  const std::size_t ending = pattern.size() - pattern.rfind("XXXXXX") - 6;
  const int fd = error ? -1 : ::mkstemps(name.data(), static_cast<int>(ending));
  if (fd < 0)
    return failed("no temporary file can be made: " + (error ? error.message() : std::strerror(errno)));
  ::close(fd);
  TemporaryFile out(name);
  std::ofstream file(name, std::ios::binary);
  if (!file.write(content.data(), static_cast<std::streamsize>(content.size())).flush())
    return failed("'" + name + "' cannot be written: " + std::strerror(errno));
  return out;
}

TemporaryFile::TemporaryFile(TemporaryFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}

TemporaryFile& TemporaryFile::operator=(TemporaryFile&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

TemporaryFile::~TemporaryFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

}  // namespace sluice::cli
