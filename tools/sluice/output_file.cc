#include "tools/sluice/output_file.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <iostream>

#include "runtime/atomic_file.h"

namespace sluice::cli {

namespace fs = std::filesystem;

Status may_write(const std::string& option, const std::string& path, bool force) {
  std::error_code error;
  const fs::path folder = fs::path(path).parent_path();
  if (!folder.empty() && !fs::is_directory(folder, error))
    return invalid(option + " '" + path + "': there is no folder '" + folder.string() + "'");
  SLUICE_RETURN_IF_ERROR(check_replaceable(path).with_context(option + ": "));
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

Status check_model_ending(const std::string& option, const std::string& path) {
  const std::string ending = fs::path(path).extension().string();
  if (ending != ".bin" && ending != ".dlc" && ending != ".tflite") return {};
  return invalid(option + " is '" + path + "', but the result is an ONNX model, and what ends in " + ending +
                 " is read as another format; let it end in .onnx");
}

}  // namespace sluice::cli
