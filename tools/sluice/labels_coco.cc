#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "framework/core/suggest.h"
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

LabelledBox box(const Json& annotation, const std::map<std::int64_t, std::string>& names) {
  const auto sides = annotation.at("bbox").get<std::vector<double>>();
  LabelledBox out{sides.at(0), sides.at(1), sides.at(2), sides.at(3), {}, false};
  out.ignore = annotation.value("iscrowd", 0) != 0;
  const auto name = names.find(annotation.value("category_id", std::int64_t{-1}));
  if (name != names.end()) out.label = name->second;
  return out;
}

LabelSet read(const Json& root, const std::string& folder) {
  LabelSet out;
  std::map<std::int64_t, std::size_t> index;
  for (const Json& image : root.at("images")) {
    index[image.at("id").get<std::int64_t>()] = out.pictures.size();
    out.pictures.push_back(
        {(std::filesystem::path(folder) / image.at("file_name").get<std::string>()).string(), {}, {}});
  }
  const auto names = category_names(root);
  for (const Json& annotation : root.at("annotations")) {
    const auto image = annotation.at("image_id").get<std::int64_t>();
    if (!index.contains(image))
      throw std::out_of_range("an annotation names image " + std::to_string(image) + ", which is not listed");
    out.pictures[index[image]].boxes.push_back(box(annotation, names));
  }
  return out;
}

}  // namespace

Result<LabelSet> parse_coco(std::string_view text, const std::string& folder) {
  try {
    return read(Json::parse(text), folder);
  } catch (const std::exception& error) {
    return invalid(std::string("no COCO annotations: ") + error.what());
  }
}

}  // namespace sluice::cli
