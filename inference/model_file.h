// A model file in memory: checked for size and kind before anything looks at its bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "framework/core/status.h"

namespace sluice {

// What tells two states of a file apart without reading it.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t modified_ns = 0;
  std::int64_t size = 0;
  auto operator<=>(const FileStamp&) const = default;
};

// ONNX's own limit: protobuf messages end at 2 GiB.
constexpr std::int64_t kMaxModelBytes = (std::int64_t{1} << 31) - 1;

// Read-only mapping of a regular file; pages are read when they are looked at, so that a header costs no
// weights. Immutable; any thread.
class ModelFile {
 public:
  // kUnavailable, saying what to do: missing, unreadable, no regular file, empty, above 2 GiB.
  static Result<std::shared_ptr<const ModelFile>> open(const std::string& path);
  // Bytes made from the file `path`; what the stamp says but for the size is the file's.
  static std::shared_ptr<const ModelFile> made_from(const ModelFile& file, std::string bytes);
  // Its state on the disk, or the same failures.
  static Result<FileStamp> stamp_of(const std::string& path);
  ~ModelFile();
  ModelFile(const ModelFile&) = delete;
  ModelFile& operator=(const ModelFile&) = delete;

  std::string_view bytes() const { return {data_, static_cast<std::size_t>(stamp_.size)}; }
  const FileStamp& stamp() const { return stamp_; }
  const std::string& path() const { return path_; }

 private:
  ModelFile(std::string path, const char* data, FileStamp stamp)
      : path_(std::move(path)), data_(data), stamp_(stamp) {}
  std::string path_;
  std::string made_;  // empty: mapped
  const char* data_;
  FileStamp stamp_;
};

// Other formats that people try, told from the name and the first bytes: kUnavailable, saying how to convert.
Status check_format(const std::string& path, std::string_view bytes);

// Folder of a path, "." for a bare name.
std::string folder_of(const std::string& path);

}  // namespace sluice
