#include "tools/sluice/recording.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "runtime/atomic_file.h"
#include "runtime/readings_trace.h"
#include "runtime/selection_record.h"

namespace sluice::cli {

Recording::~Recording() {
  if (file_) std::fclose(file_);
}

Recording::Files Recording::files(const std::string& folder) {
  if (folder.empty()) return {};
  return {folder + "/readings.jsonl", folder + "/report.json"};
}

Status Recording::open(const std::string& folder, bool force) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return failed(fmt::format("--record: {}: {}", folder, error.message()));
  const Files files = Recording::files(folder);
  for (const std::string& file : {files.readings, files.report}) {
    if (!force && std::filesystem::exists(file, error))
      return failed(fmt::format("--record: '{}' exists; --force replaces it", file));
    SLUICE_RETURN_IF_ERROR(check_replaceable(file).with_context("--record: "));
  }
  folder_ = folder;
  files_ = files;
  return {};
}

void Recording::begin() {
  if (folder_.empty()) return;
  std::lock_guard lock(mutex_);
  begun_ = true;
  file_ = std::fopen(files_.readings.c_str(), "we");
  write(early_);
  early_.clear();
}

void Recording::add(const RunSnapshot& snapshot) {
  if (!snapshot.readings) return;
  Readings readings = *snapshot.readings;
  readings.at = snapshot.at;
  std::lock_guard lock(mutex_);
  write(reading_line(readings) + "\n");
}

void Recording::add_selection(const std::string& line) {
  std::lock_guard lock(mutex_);
  selects_ = true;
  write(line + "\n");
}

void Recording::write(const std::string& lines) {
  if (!begun_) {
    early_ += lines;
    return;
  }
  const bool written =
      file_ && std::fwrite(lines.data(), 1, lines.size(), file_) == lines.size() && std::fflush(file_) == 0;
  if (!written) lost_ += static_cast<std::uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
}

Status Recording::close(const RunReport& report) {
  if (!begun_) return {};
  if (selects_) add_selection(selection_end_line(lost_));
  const bool closed = file_ && std::fclose(std::exchange(file_, nullptr)) == 0;
  SLUICE_RETURN_IF_ERROR(replace_file(files_.report, to_json(report)).with_context("--record: "));
  if (lost_ > 0 || !closed)
    return failed(fmt::format("--record: {}/readings.jsonl could not take {} lines; the disk is full or gone",
                              folder_, lost_));
  return {};
}

}  // namespace sluice::cli
