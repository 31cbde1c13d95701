#include "tools/sluice/result_files.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "runtime/atomic_file.h"
#include "runtime/selection_record.h"

namespace sluice::cli {
namespace {

constexpr std::string_view kStdout = "-";

bool is_device(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_character_file(path, error);  // /dev/null is nobody's
}

Status print_whole(std::string_view text) {
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  return written ? Status{} : failed(std::string("stdout cannot be written: ") + std::strerror(errno));
}

}  // namespace

std::string real_name(const std::string& path) {
  std::error_code error;
  const auto real = std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
  return error ? path : real.string();
}

bool is_profile_file(const std::string& profile) { return profile.find_first_of("/.") != std::string::npos; }

std::vector<InputFile> files_of_device(const std::string& device, const std::string& timings) {
  constexpr std::string_view kSimulated = "sim:", kRecorded = "trace:";
  std::vector<InputFile> out;
  if (!timings.empty()) out.push_back({"--timings", timings});
  if (device.starts_with(kRecorded))
    out.push_back({"--device", recording_file(device.substr(kRecorded.size()))});
  if (device.starts_with(kSimulated) && is_profile_file(device.substr(kSimulated.size())))
    out.push_back({"--device", device.substr(kSimulated.size())});
  return out;
}

Status check_result_names(std::span<const ResultFile> files, std::span<const InputFile> inputs) {
  for (std::size_t i = 0; i < files.size(); ++i) {
    const ResultFile& file = files[i];
    if (file.path.empty()) continue;
    if (file.path == kStdout) {
      if (file.may_be_stdout) continue;
      return invalid(fmt::format(
          "{} is '-', but what it writes is nothing for standard output; name a file ('./-' is one)",
          file.option));
    }
    if (is_device(file.path)) continue;
    const std::string name = real_name(file.path);
    for (const InputFile& input : inputs) {
      if (!input.path.empty() && real_name(input.path) == name)
        return invalid(fmt::format("{} is '{}', but {} uses that file", file.option, file.path, input.user));
    }
    for (const ResultFile& other : files.first(i)) {
      if (other.path.empty() || other.path == kStdout || std::string_view(other.option) == file.option ||
          real_name(other.path) != name)
        continue;
      return invalid(fmt::format("{} and {} name the same file '{}'", other.option, file.option, file.path));
    }
  }
  return {};
}

Status check_result_places(std::span<const ResultFile> files) {
  for (const ResultFile& file : files) {
    if (file.path.empty() || (file.may_be_stdout && file.path == kStdout)) continue;
    SLUICE_RETURN_IF_ERROR(check_replaceable(file.path).with_context(std::string(file.option) + ": "));
  }
  return {};
}

Status write_result(const ResultFile& file, std::string_view text) {
  if (file.path.empty()) return {};
  const Status status =
      file.may_be_stdout && file.path == kStdout ? print_whole(text) : replace_file(file.path, text);
  return status.with_context(std::string(file.option) + ": ");
}

}  // namespace sluice::cli
