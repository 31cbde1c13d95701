#include "nodes/picture_pattern.h"

#include <glob.h>

#include <filesystem>

namespace sluice {

std::vector<std::string> files_matching(const std::string& pattern) {
  std::vector<std::string> out;
  glob_t matches{};
  if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &matches) == 0) {
    for (std::size_t i = 0; i < matches.gl_pathc; ++i) {
      std::error_code ignored;  // a file that vanished meanwhile is none
      if (std::filesystem::is_regular_file(matches.gl_pathv[i], ignored))
        out.emplace_back(matches.gl_pathv[i]);
    }
  }
  ::globfree(&matches);
  return out;
}

}  // namespace sluice
