#include "tools/sluice/layer_times.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

namespace sluice::cli {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kKernel = "_kernel_time", kCycles = " (cycles)", kId = ":OpId_";

struct Sum {
  LayerTime layer;
  double total = 0;
  int count = 0;
};

// [{"float": [1, 3, 128, 128]}, ...]
std::vector<LayerShape> shapes_of(const Json& args, const char* key) {
  std::vector<LayerShape> out;
  if (!args.contains(key) || !args.at(key).is_array()) return out;
  for (const Json& tensor : args.at(key))
    for (const auto& [dtype, dims] : tensor.items())
      out.push_back({dtype, dims.get<std::vector<std::int64_t>>()});
  return out;
}

void add_event(const Json& event, std::map<std::string, Sum>& sums) {
  if (!event.is_object() || event.value("cat", "") != "Node") return;
  std::string name = event.value("name", "");
  if (!name.ends_with(kKernel)) return;
  name.resize(name.size() - kKernel.size());
  const Json& args = event.at("args");
  // Two nodes may have one name, or none.
  Sum& sum = sums[args.value("node_index", "") + " " + name];
  sum.total += event.value("dur", 0.0) / 1000;
  if (sum.count++ > 0) return;
  sum.layer.name = std::move(name);
  sum.layer.type = args.value("op_name", "");
  sum.layer.inputs = shapes_of(args, "input_type_shape");
  sum.layer.outputs = shapes_of(args, "output_type_shape");
}

// Means and shares, largest first.
std::vector<LayerTime> layers_of(std::map<std::string, Sum>&& sums, double LayerTime::* value) {
  std::vector<LayerTime> out;
  double all = 0;
  for (auto& [key, sum] : sums) {
    sum.layer.*value = sum.total / sum.count;
    all += sum.layer.*value;
    out.push_back(std::move(sum.layer));
  }
  for (LayerTime& layer : out) layer.share = all > 0 ? layer.*value / all : 0;
  std::stable_sort(out.begin(), out.end(),
                   [&](const LayerTime& a, const LayerTime& b) { return a.*value > b.*value; });
  return out;
}

// The part up to the next comma, which is taken from the row.
std::string_view take_column(std::string_view& row) {
  const std::size_t comma = std::min(row.find(','), row.size());
  const std::string_view out = row.substr(0, comma);
  row.remove_prefix(std::min(comma + 1, row.size()));
  return out;
}

// "0,NODE,6739947,CYCLES,BACKEND,SUB-EVENT,NAME:OpId_23 (cycles)": names may hold commas.
void add_row(std::string_view row, std::map<std::string, Sum>& sums) {
  take_column(row);
  if (take_column(row) != "NODE") return;
  const std::string_view number = take_column(row);
  double cycles = 0;
  if (std::from_chars(number.data(), number.data() + number.size(), cycles).ec != std::errc{}) return;
  if (take_column(row) != "CYCLES") return;
  take_column(row);
  take_column(row);
  row = row.substr(0, row.rfind(kCycles));
  Sum& sum = sums[std::string(row)];
  sum.layer.name = std::string(row.substr(0, row.rfind(kId)));
  sum.total += cycles;
  ++sum.count;
}

}  // namespace

Result<std::vector<LayerTime>> read_ort_profile(std::string_view text) {
  try {
    const Json events = Json::parse(text);
    std::map<std::string, Sum> sums;
    for (const Json& event : events) add_event(event, sums);
    if (sums.empty()) return invalid("the profile names no layer");
    return layers_of(std::move(sums), &LayerTime::ms);
  } catch (const Json::exception& error) {
    return invalid(std::string("the profile cannot be read: ") + error.what());
  }
}

Result<std::vector<LayerTime>> read_gpu_profile(std::string_view text) {
  std::map<std::string, Sum> sums;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view row = text.substr(0, end);
    const std::string_view number = take_column(row);
    double us = 0;
    if (std::from_chars(number.data(), number.data() + number.size(), us).ec == std::errc{}) {
      Sum& sum = sums[std::string(row)];
      sum.layer.name = row.empty() ? "inputs and outputs" : std::string(row);
      sum.total += us / 1000;
      sum.count = 1;  // the mean is made already; what several parts of a model call alike is one layer
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (sums.empty()) return invalid("the profile has no times of operators");
  return layers_of(std::move(sums), &LayerTime::ms);
}

Result<std::vector<LayerTime>> read_qnn_profile(std::string_view text) {
  std::map<std::string, Sum> sums;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    add_row(text.substr(0, end), sums);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (sums.empty()) return invalid("the profile has no cycles of operators");
  return layers_of(std::move(sums), &LayerTime::cycles);
}

}  // namespace sluice::cli
