#include "tools/sluice/output_file.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <iostream>

namespace sluice::cli {

namespace fs = std::filesystem;

Status may_write(const std::string& path, bool force) {
  std::error_code error;
  const fs::path folder = fs::path(path).parent_path();
  if (!folder.empty() && !fs::is_directory(folder, error))
    return invalid("-o '" + path + "': there is no folder '" + folder.string() + "'");
  if (force || !fs::exists(path, error)) return {};
  const std::string exists = "'" + path + "' exists";
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1)
    return failed(exists + "; write --force to replace it");
  std::fputs(("sluice: " + exists + ", replace it? [y/N] ").c_str(), stderr);
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return {};
  return failed(exists + " and was kept");
}

}  // namespace sluice::cli
