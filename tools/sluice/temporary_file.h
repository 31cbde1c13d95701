// A file that is there as long as its object.
#pragma once

#include <string>
#include <string_view>

#include "framework/core/status.h"

namespace sluice::cli {

class TemporaryFile {
 public:
  // `pattern`: a name with XXXXXX in it, which is replaced; what follows stays as its ending. kFailed.
  static Result<TemporaryFile> make(const std::string& pattern, std::string_view content);
  TemporaryFile(TemporaryFile&& other) noexcept;
  TemporaryFile& operator=(TemporaryFile&& other) noexcept;
  ~TemporaryFile();
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFile(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace sluice::cli
