// A temporary folder in which pictures from anywhere lie in a given order.
#pragma once

#include <string>
#include <vector>

#include "framework/core/status.h"

namespace sluice::cli {

// Symbolic links "00000000.jpg", ...: sorted by name they are in the order of `paths`. Removed with the
// object.
class PictureFolder {
 public:
  static Result<PictureFolder> make(const std::vector<std::string>& paths);
  PictureFolder(PictureFolder&& other) noexcept;
  PictureFolder& operator=(PictureFolder&& other) noexcept;
  ~PictureFolder();
  const std::string& path() const { return path_; }

 private:
  PictureFolder() = default;
  std::string path_;
};

}  // namespace sluice::cli
