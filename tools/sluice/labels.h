// What pictures show, as people marked them: the truth that `sluice eval` compares with.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "framework/core/status.h"

namespace sluice::cli {

// Pixels of the picture; x, y: left top corner.
struct LabelledBox {
  double x = 0, y = 0, width = 0, height = 0;
  std::string label;    // empty: the label set has only one kind of object
  bool ignore = false;  // a crowd, or marked as not to count: neither found nor missed
};

struct LabelledPicture {
  std::string path;
  std::vector<LabelledBox> boxes;
  std::string label;  // of the whole picture, in a folder per class
};

struct LabelSet {
  bool classes = false;  // one label per picture instead of boxes
  std::vector<LabelledPicture> pictures;
};

// COCO JSON (*.json), dlib XML (*.xml): file names are relative to the label file. A folder: one folder per
// class with pictures in it, sorted. kInvalid with what is wrong and where: unreadable, malformed, no
// picture, a picture that is missing, a file above 256 MiB.
Result<LabelSet> read_labels(const std::string& path);

// The two formats from text; `folder` is what names are relative to.
Result<LabelSet> parse_coco(std::string_view text, const std::string& folder);
Result<LabelSet> parse_dlib(std::string_view text, const std::string& folder);

}  // namespace sluice::cli
