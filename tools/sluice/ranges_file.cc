#include "tools/sluice/ranges_file.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/suggest.h"
#include "inference/foreign_json.h"

namespace sluice::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uintmax_t kMostBytes = 256u << 20;

Json json_of(const TensorRange& range) {
  const ValueHistogram::Stored stored = range.values.store();
  return {{"model", range.model},   {"tensor", range.tensor},          {"count", stored.count},
          {"zeros", stored.zeros},  {"not_finite", stored.not_finite}, {"min", stored.min},
          {"max", stored.max},      {"exponent", stored.exponent},     {"first", stored.first},
          {"counts", stored.counts}};
}

Result<TensorRange> range_of(const Json& json) {
  ValueHistogram::Stored stored;
  json.at("count").get_to(stored.count);
  json.at("zeros").get_to(stored.zeros);
  json.at("not_finite").get_to(stored.not_finite);
  json.at("min").get_to(stored.min);
  json.at("max").get_to(stored.max);
  json.at("exponent").get_to(stored.exponent);
  json.at("first").get_to(stored.first);
  json.at("counts").get_to(stored.counts);
  TensorRange out{json.at("model").get<std::string>(), json.at("tensor").get<std::string>(), {}};
  const auto values = ValueHistogram::from(stored);
  if (!values) return invalid("the numbers of tensor " + in_quotes(out.tensor) + " contradict each other");
  out.values = *values;
  return out;
}

Result<std::vector<TensorRange>> parse(const std::string& file) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  if (error) return invalid("cannot be read: " + error.message());
  if (size > kMostBytes) return invalid("has more than 256 MiB, the most allowed");
  std::ifstream in(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (nests_too_deep(text)) return invalid("is no file of --collect-ranges: it nests too deep");
  try {
    const Json json = Json::parse(text);
    if (json.at("version") != 1) return invalid("has version " + json.at("version").dump() + ", allowed: 1");
    std::vector<TensorRange> out;
    for (const Json& entry : json.at("ranges")) {
      SLUICE_ASSIGN(TensorRange range, range_of(entry));
      out.push_back(std::move(range));
    }
    return out;
  } catch (const Json::exception& what) {
    return invalid(std::string("is no file of --collect-ranges: ") + what.what());
  }
}

// The model whose ranges are meant, or why that is not clear.
Result<std::string> model_of(const std::vector<TensorRange>& ranges, const std::string& wanted) {
  std::set<std::string> models;
  for (const TensorRange& range : ranges) models.insert(range.model);
  const std::vector<std::string> names(models.begin(), models.end());
  if (names.empty()) return invalid("holds no range");
  if (wanted.empty() && names.size() == 1) return names[0];
  if (wanted.empty())
    return invalid("holds several models, write FILE#MODEL with one of " + comma_list(names));
  if (models.contains(wanted)) return wanted;
  return invalid("model is " + in_quotes(wanted) + allowed(wanted, names));
}

Status merge_file(const std::string& name, std::map<std::string, ValueHistogram>& out) {
  const std::size_t hash = name.rfind('#');
  const std::string file = name.substr(0, hash);
  SLUICE_ASSIGN(const auto ranges, parse(file));
  SLUICE_ASSIGN(const std::string model, model_of(ranges, hash == name.npos ? "" : name.substr(hash + 1)));
  for (const TensorRange& range : ranges)
    if (range.model == model) out[range.tensor].merge(range.values);
  return {};
}

}  // namespace

std::string ranges_json(const std::vector<TensorRange>& ranges) {
  Json list = Json::array();
  for (const TensorRange& range : ranges) list.push_back(json_of(range));
  return Json{{"version", 1}, {"ranges", std::move(list)}}.dump() + "\n";
}

Result<std::map<std::string, ValueHistogram>> read_ranges(const std::vector<std::string>& names) {
  std::map<std::string, ValueHistogram> out;
  for (const std::string& name : names)
    SLUICE_RETURN_IF_ERROR(merge_file(name, out).with_context("--ranges '" + name + "': "));
  return out;
}

}  // namespace sluice::cli
