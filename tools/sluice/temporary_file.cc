#include "tools/sluice/temporary_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

namespace sluice::cli {

Result<TemporaryFile> TemporaryFile::make(std::string_view kind, const std::string& name,
                                          std::string_view content) {
  SLUICE_ASSIGN(TemporaryFolder folder, TemporaryFolder::make(kind));
  TemporaryFile out(std::move(folder), name);
  std::ofstream file(out.path(), std::ios::binary);
  if (!file.write(content.data(), static_cast<std::streamsize>(content.size())).flush())
    return failed("'" + out.path() + "' cannot be written: " + std::strerror(errno));
  return out;
}

}  // namespace sluice::cli
