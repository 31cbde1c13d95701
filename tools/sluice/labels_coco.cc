#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "framework/core/suggest.h"
#include "inference/foreign_json.h"
#include "tools/sluice/labels.h"

namespace sluice::cli {
namespace {

using Json = nlohmann::json;

std::map<std::int64_t, std::string> category_names(const Json& root) {
  std::map<std::int64_t, std::string> out;
  if (!root.contains("categories")) return out;
  for (const Json& category : root.at("categories")) {
    out[category.at("id").get<std::int64_t>()] = category.at("name").get<std::string>();
  }
  return out;
}

[[noreturn]] void wrong(const std::string& what) { throw std::invalid_argument(what); }

LabelledBox box(const Json& annotation, const std::map<std::int64_t, std::string>& names) {
  const auto sides = annotation.at("bbox").get<std::vector<double>>();
  if (sides.size() != 4)
    wrong(fmt::format("'bbox' has {} numbers, wanted: 4 (x, y, width, height)", sides.size()));
  LabelledBox out{sides[0], sides[1], sides[2], sides[3], {}, false};
  if (out.width < 0 || out.height < 0)
    wrong(fmt::format("'bbox' is {} wide and {} high, allowed: from 0 on", out.width, out.height));
  out.ignore = annotation.value("iscrowd", 0) != 0;
  if (names.empty() || !annotation.contains("category_id")) return out;
  const auto category = annotation.at("category_id").get<std::int64_t>();
  const auto name = names.find(category);
  if (name == names.end())
    wrong(fmt::format("'category_id' is {}, which is not among the categories", category));
  out.label = name->second;
  return out;
}

void add(const Json& annotation, const std::map<std::int64_t, std::size_t>& index,
         const std::map<std::int64_t, std::string>& names, LabelSet& out) {
  const auto image = annotation.at("image_id").get<std::int64_t>();
  const auto place = index.find(image);
  if (place == index.end()) wrong(fmt::format("'image_id' is {}, which is not among the images", image));
  out.pictures[place->second].boxes.push_back(box(annotation, names));
}

LabelSet read(const Json& root, const std::string& folder) {
  if (!root.is_object()) wrong("the file holds no object with 'images' and 'annotations'");
  LabelSet out;
  std::map<std::int64_t, std::size_t> index;
  for (const Json& image : root.at("images")) {
    index[image.at("id").get<std::int64_t>()] = out.pictures.size();
    out.pictures.push_back(
        {(std::filesystem::path(folder) / image.at("file_name").get<std::string>()).string(), {}, {}});
  }
  const auto names = category_names(root);
  std::size_t i = 0;
  for (const Json& annotation : root.at("annotations")) {
    try {
      add(annotation, index, names, out);
    } catch (const std::exception& error) {
      wrong(fmt::format("annotations[{}]: {}", i, error.what()));
    }
    ++i;
  }
  return out;
}

}  // namespace

Result<LabelSet> parse_coco(std::string_view text, const std::string& folder) {
  if (nests_too_deep(text)) return invalid("no COCO annotations: the file nests too deep");
  try {
    return read(Json::parse(text), folder);
  } catch (const std::exception& error) {
    return invalid(std::string("no COCO annotations: ") + error.what());
  }
}

}  // namespace sluice::cli
