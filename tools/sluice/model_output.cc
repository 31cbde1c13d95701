#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "tools/sluice/model_facts.h"

namespace sluice::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string line(const char* role, const TensorFacts& t) {
  std::string shape;
  for (const std::string& dim : t.shape) shape += (shape.empty() ? "" : "x") + dim;
  if (shape.empty()) shape = t.has_shape ? "scalar" : "without a shape";
  std::string out = fmt::format("{} {}: {} {}", role, t.name, t.dtype, shape);
  if (t.axis >= 0)
    out += fmt::format(" ({} scales along dimension {})", t.scale.size(), t.axis);
  else if (!t.scale.empty())
    out += fmt::format(" (scale {:.9g}, zero point {})", t.scale[0], t.zero_point[0]);
  return out + "\n";
}

std::string backend_line(const BackendFacts& b) {
  if (!b.placement) return fmt::format("  {}: {}\n", b.name, b.reason);
  std::string out =
      fmt::format("  {}: {} of {} operators", b.name, b.placement->on_backend, b.placement->total);
  for (const auto& [place, count] : b.placement->elsewhere) out += fmt::format(", {} on {}", count, place);
  out += "\n";
  for (const std::string& reason : b.placement->reasons) out += "    " + reason + "\n";
  return out;
}

// Below it a tenth of a million says too little.
constexpr auto kFewMacs = 10'000'000;

std::string macs_text(const ModelFacts& facts) {
  if (facts.macs && *facts.macs < kFewMacs) return fmt::format("{} multiply-accumulates", *facts.macs);
  if (facts.macs)
    return fmt::format("{:.1f} million multiply-accumulates", static_cast<double>(*facts.macs) * 1e-6);
  if (facts.uncounted.contains("EPContext"))
    return "more parameters and all multiply-accumulates are compiled";
  if (!facts.uncounted.empty())
    return fmt::format("multiply-accumulates unknown: those of {} are not counted",
                       fmt::join(facts.uncounted, ", "));
  if (facts.without_shape == 0) return "multiply-accumulates unknown: the graph has branches or loops";
  return fmt::format("multiply-accumulates unknown: no fixed shape is given or follows for {} operators",
                     facts.without_shape);
}

std::string parameters_text(const ModelFacts& facts) {
  std::string types;
  for (const auto& [type, count] : facts.parameters_by_type)
    types += fmt::format("{}{} {}", types.empty() ? "" : ", ", count, type);
  return fmt::format("{} parameters{}", facts.parameters, types.empty() ? "" : " (" + types + ")");
}

// One scale and zero point, or how many there are and between which.
std::string encoding_line(const TensorEncoding& e) {
  std::string out = fmt::format("  {}{}: {}", e.weight ? "weights " : "", e.name, e.dtype);
  const auto [least, greatest] = std::ranges::minmax_element(e.scale);
  out += e.scale.size() == 1 ? fmt::format(", scale {:.9g}", e.scale[0])
                             : fmt::format(", {} scales {:.4g}..{:.4g}", e.scale.size(), *least, *greatest);
  const auto [low, high] = std::ranges::minmax_element(e.zero_point);
  if (*low == 0 && *high == 0) return out + "\n";
  return out + (*low == *high ? fmt::format(", zero point {}\n", *low)
                              : fmt::format(", zero points {}..{}\n", *low, *high));
}

std::string encodings_text(const ModelFacts& facts) {
  if (facts.encodings.empty()) return {};
  std::map<std::string, int> types;
  for (const TensorEncoding& e : facts.encodings) ++types[(e.weight ? "weights in " : "") + e.dtype];
  std::string out = fmt::format("{} quantised tensors: ", facts.encodings.size());
  for (const auto& [type, count] : types)
    out += fmt::format("{}{} {}", out.ends_with(": ") ? "" : ", ", count, type);
  out += "\n";
  for (const TensorEncoding& e : facts.encodings) out += encoding_line(e);
  return out;
}

template <typename T>
Json one_or_all(const std::vector<T>& values) {
  return values.size() == 1 ? Json(values[0]) : Json(values);
}

Json encoding(const TensorEncoding& e) {
  return {{"name", e.name},
          {"dtype", e.dtype},
          {"weights", e.weight},
          {"scale", one_or_all(e.scale)},
          {"zero_point", one_or_all(e.zero_point)}};
}

Json tensor(const TensorFacts& t) {
  Json shape = Json::array();
  for (const std::string& dim : t.shape) {
    const bool fixed = !dim.empty() && dim.find_first_not_of("0123456789") == std::string::npos;
    shape.push_back(fixed ? Json(std::stoll(dim)) : Json(dim));
  }
  Json quant = nullptr;
  if (!t.scale.empty()) quant = {{"scale", one_or_all(t.scale)}, {"zero_point", one_or_all(t.zero_point)}};
  if (t.axis >= 0) quant["axis"] = t.axis;
  return {{"name", t.name},
          {"dtype", t.dtype},
          {"shape", t.has_shape ? shape : Json(nullptr)},
          {"quantisation", quant}};
}

Json backend(const BackendFacts& b) {
  Json operators = nullptr;
  if (b.placement) {
    operators = {{"total", b.placement->total},
                 {"on_backend", b.placement->on_backend},
                 {"elsewhere", b.placement->elsewhere}};
  }
  return {{"name", b.name},
          {"operators", operators},
          {"reason", b.reason.empty() ? Json(nullptr) : Json(b.reason)}};
}

}  // namespace

std::string facts_text(const ModelFacts& facts) {
  std::string out = fmt::format("{}: {:.1f} KiB", facts.path, static_cast<double>(facts.bytes) / 1024);
  if (!facts.producer.empty()) out += ", by " + facts.producer;
  for (const auto& [domain, opset] : facts.opsets)
    out += fmt::format(", opset {}{}{}", domain, domain.empty() ? "" : " ", opset);
  out += "\n";
  for (const TensorFacts& t : facts.inputs) out += line("input ", t);
  for (const TensorFacts& t : facts.outputs) out += line("output", t);
  int total = 0;
  std::string types;
  for (const auto& [type, count] : facts.operators) {
    total += count;
    types += fmt::format("{}{} {}", types.empty() ? "" : ", ", count, type);
  }
  out += fmt::format("{} operators: {}\n{}, {}\nbackends\n", total, types, parameters_text(facts),
                     macs_text(facts));
  for (const BackendFacts& b : facts.backends) out += backend_line(b);
  return out + encodings_text(facts);
}

std::string facts_json(const ModelFacts& facts) {
  Json inputs = Json::array(), outputs = Json::array(), backends = Json::array();
  for (const TensorFacts& t : facts.inputs) inputs.push_back(tensor(t));
  for (const TensorFacts& t : facts.outputs) outputs.push_back(tensor(t));
  for (const BackendFacts& b : facts.backends) backends.push_back(backend(b));
  Json encodings = Json::array();
  for (const TensorEncoding& e : facts.encodings) encodings.push_back(encoding(e));
  const Json out = {{"version", 1},
                    {"path", facts.path},
                    {"bytes", facts.bytes},
                    {"producer", facts.producer},
                    {"opsets", facts.opsets},
                    {"inputs", inputs},
                    {"outputs", outputs},
                    {"operators", facts.operators},
                    {"parameters", facts.parameters},
                    {"parameters_by_type", facts.parameters_by_type},
                    {"macs", facts.macs ? Json(*facts.macs) : Json(nullptr)},
                    {"backends", backends},
                    {"quantised_tensors", encodings}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace sluice::cli
