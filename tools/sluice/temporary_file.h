// A file that is there as long as its object.
#pragma once

#include <string>
#include <string_view>

#include "framework/core/status.h"
#include "framework/core/temporary_folder.h"

namespace sluice::cli {

class TemporaryFile {
 public:
  // A file of this name in a temporary folder of this kind. kFailed.
  static Result<TemporaryFile> make(std::string_view kind, const std::string& name, std::string_view content);
  const std::string& path() const { return path_; }

 private:
  TemporaryFile(TemporaryFolder folder, const std::string& name)
      : folder_(std::move(folder)), path_(folder_.path() + "/" + name) {}
  TemporaryFolder folder_;
  std::string path_;
};

}  // namespace sluice::cli
