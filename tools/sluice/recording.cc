#include "tools/sluice/recording.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "runtime/atomic_file.h"
#include "runtime/readings_trace.h"
#include "runtime/selection_record.h"

namespace sluice::cli {

Recording::~Recording() {
  if (file_) std::fclose(file_);
}

Status Recording::open(const std::string& folder, bool force) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return failed(fmt::format("--record: {}: {}", folder, error.message()));
  const std::string path = folder + "/readings.jsonl";
  if (!force && std::filesystem::exists(path))
    return failed(fmt::format("--record: '{}' holds a recording; --force replaces it", folder));
  file_ = std::fopen(path.c_str(), "we");
  if (!file_) return failed(fmt::format("--record: {}: {}", path, std::strerror(errno)));
  folder_ = folder;
  return {};
}

void Recording::add(const RunSnapshot& snapshot) {
  if (!snapshot.readings) return;
  Readings readings = *snapshot.readings;
  readings.at = snapshot.at;
  std::lock_guard lock(mutex_);
  write(reading_line(readings));
}

void Recording::add_selection(const std::string& line) {
  std::lock_guard lock(mutex_);
  selects_ = true;
  write(line);
}

void Recording::write(const std::string& line) {
  if (!file_) return;
  const std::string whole = line + "\n";
  const bool written =
      std::fwrite(whole.data(), 1, whole.size(), file_) == whole.size() && std::fflush(file_) == 0;
  if (!written) ++lost_;
}

Status Recording::close(const RunReport& report) {
  if (!file_) return {};
  if (selects_) add_selection(selection_end_line(lost_));
  const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
  SLUICE_RETURN_IF_ERROR(replace_file(folder_ + "/report.json", to_json(report)).with_context("--record: "));
  if (lost_ > 0 || !closed)
    return failed(fmt::format("--record: {}/readings.jsonl could not take {} lines; the disk is full or gone",
                              folder_, lost_));
  return {};
}

}  // namespace sluice::cli
