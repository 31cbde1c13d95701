// Files that a command writes when all is done, such as `--report`: whether they can be written is found out
// before anything runs, without touching what is there.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/status.h"

namespace sluice::cli {

struct ResultFile {
  const char* option;  // "--report"
  const std::string& path;
  bool may_be_stdout = false;  // as "-"
};

// A file that the command reads, and who does: "the pipeline", "--device".
struct InputFile {
  std::string user;
  std::string path;
};

// Whether a device's profile is a file's name; the others are built in.
bool is_profile_file(const std::string& profile);

// What is read because of `--device` (a profile's file, a recording) and `--timings`.
std::vector<InputFile> files_of_device(const std::string& device, const std::string& timings);

// Ok, or kInvalid: two options name one file, "-" where the result is nothing for standard output, or the
// file is one of `inputs`. Empty paths are options that were not given; options of one name are one.
Status check_result_names(std::span<const ResultFile> files, std::span<const InputFile> inputs);

// Ok, or kFailed: the first file that could not be written, with the system's reason.
Status check_result_places(std::span<const ResultFile> files);

// Replaces the file at once, or prints to standard output for "-". Nothing without a path. kFailed with the
// option's name. Blocks on the disk; any thread.
Status write_result(const ResultFile& file, std::string_view text);

// Where a path leads, links followed, as far as it exists.
std::string real_name(const std::string& path);

}  // namespace sluice::cli
