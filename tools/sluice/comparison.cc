#include "tools/sluice/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace sluice::cli {
namespace {

using Json = nlohmann::ordered_json;

// Every value was NaN or infinite on one side: there is nothing to say of the others.
bool unknown(const ComparedTensor& t) { return t.meter.count() == 0 && t.meter.not_finite() > 0; }

std::string numbers(const ComparedTensor& t) {
  if (unknown(t)) return fmt::format("{:>12}  {:>9}  {:>10}  {:>11}", "-", "-", "-", "-");
  return fmt::format("{:>12.6g}  {:>9.2f}  {:>10.7f}  {:>11.6g}", t.meter.mse(), t.meter.snr_db(),
                     t.meter.cosine(), t.meter.max_abs());
}

std::string table(const std::vector<ComparedTensor>& tensors, const char* head) {
  std::size_t width = std::string_view(head).size();
  for (const ComparedTensor& t : tensors) width = std::max(width, t.name.size());
  std::string out = fmt::format("{:<{}}  {:>12}  {:>9}  {:>10}  {:>11}\n", head, width, "MSE", "SNR dB",
                                "cosine", "max error");
  for (const ComparedTensor& t : tensors) {
    out += fmt::format("{:<{}}  {}", t.name, width, numbers(t));
    if (t.meter.not_finite() > 0) out += fmt::format("  {} NaN or infinite", t.meter.not_finite());
    out += t.type.empty() ? "\n" : "  " + t.type + "\n";
  }
  return out;
}

Json json_of(const ComparedTensor& t) {
  const auto known = [&t](double value) { return unknown(t) ? Json(nullptr) : Json(value); };
  Json out = {{"name", t.name},
              {"mse", known(t.meter.mse())},
              {"snr_db", known(t.meter.snr_db())},
              {"cosine", known(t.meter.cosine())},
              {"max_abs", known(t.meter.max_abs())}};
  if (t.meter.not_finite() > 0) out["not_finite"] = t.meter.not_finite();
  if (!t.type.empty()) out["operator"] = t.type;
  return out;
}

}  // namespace

const ComparedTensor* first_wrong(const Comparison& comparison, double least) {
  const auto wrong = [&](const ComparedTensor& t) {
    return t.meter.snr_db() < least || t.meter.not_finite() > 0;
  };
  for (const auto* list : {&comparison.layers, &comparison.outputs}) {
    const auto found = std::find_if(list->begin(), list->end(), wrong);
    if (found != list->end()) return &*found;
  }
  return nullptr;
}

std::string elsewhere_text(const std::string& backend, const std::string& model, const Placement& placement) {
  if (placement.elsewhere.empty()) return {};
  std::string out = fmt::format("backend '{}' takes {} of {} operators of {}", backend, placement.on_backend,
                                placement.total, model);
  for (const auto& [place, count] : placement.elsewhere) out += fmt::format(", {} takes {}", place, count);
  for (const std::string& reason : placement.reasons) out += " (" + reason + ")";
  return out;
}

std::string comparison_text(const Comparison& comparison, double least) {
  std::string out = fmt::format("{} on {}{} against {} on {}, {} samples\n", comparison.model,
                                comparison.backend, comparison.simulated ? " (simulated)" : "",
                                comparison.reference_model, comparison.reference, comparison.samples);
  out += table(comparison.outputs, "output");
  if (!comparison.with_layers) return out;
  out += comparison.layers.empty() ? "no layer but the outputs is in both models\n"
                                   : table(comparison.layers, "layer");
  const ComparedTensor* const wrong = first_wrong(comparison, least);
  if (!wrong) return out + fmt::format("no layer goes wrong (below {} dB)\n", least);
  return out + fmt::format("first layer that goes wrong (below {} dB): {} ({}), {}\n", least, wrong->name,
                           wrong->type.empty() ? "output" : wrong->type,
                           wrong->meter.not_finite() > 0 ? "NaN or infinite"
                                                         : fmt::format("{:.2f} dB", wrong->meter.snr_db()));
}

std::string comparison_json(const Comparison& comparison, double least) {
  Json out = {{"version", 1},
              {"model", comparison.model},
              {"backend", comparison.backend},
              {"simulated", comparison.simulated},
              {"operators",
               {{"total", comparison.placement.total},
                {"on_backend", comparison.placement.on_backend},
                {"elsewhere", comparison.placement.elsewhere}}},
              {"reference_model", comparison.reference_model},
              {"reference", comparison.reference},
              {"samples", comparison.samples},
              {"outputs", Json::array()}};
  for (const ComparedTensor& t : comparison.outputs) out["outputs"].push_back(json_of(t));
  if (comparison.with_layers) {
    out["layers"] = Json::array();
    for (const ComparedTensor& t : comparison.layers) out["layers"].push_back(json_of(t));
    const ComparedTensor* const wrong = first_wrong(comparison, least);
    out["first_wrong_layer"] = wrong ? Json(wrong->name) : Json(nullptr);
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace sluice::cli
