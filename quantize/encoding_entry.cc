#include "quantize/encoding_entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::quantize {
namespace {

using Json = nlohmann::ordered_json;

// The numbers of one channel, as far as they are written.
struct Numbers {
  std::optional<double> scale, offset, min, max;
};

// AIMET writes "True" and "False" as text.
bool is_true(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  std::string text = json.is_string() ? json.get<std::string>() : "";
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text == "true";
}

const Json* find(const Json& json, const char* a, const char* b = nullptr) {
  if (const auto found = json.find(a); found != json.end()) return &*found;
  if (b)
    if (const auto found = json.find(b); found != json.end()) return &*found;
  return nullptr;
}

std::optional<double> number(const Json& json, const char* key) {
  const Json* const found = find(json, key);
  if (!found || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

// Numbers in quotes would be read as if they were not there.
Status check_numbers(const Json& json) {
  for (const char* const key : {"scale", "offset", "min", "max"}) {
    const Json* const found = find(json, key);
    if (!found || found->is_null()) continue;
    for (const Json& item : found->is_array() ? *found : Json::array({*found})) {
      if (!item.is_number())
        return invalid(fmt::format("has the {} {}, which is no number", key, item.dump()));
      if (key == std::string_view("offset") && item.get<double>() != std::round(item.get<double>()))
        return invalid(fmt::format("has the offset {}, which is no whole number", item.dump()));
    }
  }
  return {};
}

// What zero point the numbers of one channel mean, and with which scale.
struct Meaning {
  double scale = 0;
  std::int64_t zero_point = 0;
  bool positive_offset = false;
};

Result<Meaning> from_range(const Numbers& n, double steps, bool symmetric) {
  if (!n.min || !n.max || !(*n.max > *n.min))
    return invalid("has neither scale and offset nor min below max");
  const double scale = (*n.max - *n.min) / steps;
  // Such integers have one more below zero than above it.
  if (symmetric && std::abs(*n.max + *n.min) > 1.01 * scale)
    return invalid(fmt::format("is symmetric with min {} and max {}", *n.min, *n.max));
  return Meaning{scale, std::llround(-*n.min / scale), false};
}

// An offset is the negative of the zero point, but the other sign is seen too: it can only mean one of them,
// since the zero point lies among the integers.
Meaning from_offset(double scale, double offset) {
  return {scale, std::llround(std::abs(offset)), offset > 0};
}

Status check_agreement(const Meaning& meaning, const Numbers& n, double steps) {
  const double low = -static_cast<double>(meaning.zero_point) * meaning.scale;
  const double high = (steps - static_cast<double>(meaning.zero_point)) * meaning.scale;
  const auto off = [&](const std::optional<double>& written, double value) {
    return written && std::abs(*written - value) > 1.01 * meaning.scale;
  };
  if (!off(n.min, low) && !off(n.max, high)) return {};
  return invalid(fmt::format(
      "contradicts itself: scale {} with zero point {} covers {:.6g} to {:.6g}, min and max say {} "
      "to {}",
      meaning.scale, meaning.zero_point, low, high, n.min ? fmt::format("{:.6g}", *n.min) : "nothing",
      n.max ? fmt::format("{:.6g}", *n.max) : "nothing"));
}

Result<Meaning> meaning_of(const Numbers& n, int bits, bool symmetric) {
  const double steps = std::exp2(bits) - 1;
  if (!n.scale) return from_range(n, steps, symmetric);
  if (!(*n.scale > 0) || !std::isfinite(*n.scale))
    return invalid(fmt::format("has a scale of {}, allowed: above 0", *n.scale));
  const double middle = std::exp2(bits - 1);
  // Signed integers around zero are written without an offset, or with that of unsigned ones (or one less:
  // strict).
  if (symmetric && (!n.offset || *n.offset == 0 || std::abs(std::abs(*n.offset) - middle) <= 1)) {
    const Meaning out{*n.scale, static_cast<std::int64_t>(middle), false};
    SLUICE_RETURN_IF_ERROR(check_agreement(out, {n.scale, n.offset, n.min, n.max}, steps));
    return out;
  }
  if (symmetric) return invalid(fmt::format("is symmetric with the offset {}", *n.offset));
  if (!n.offset) return invalid("has a scale without offset");
  const Meaning out = from_offset(*n.scale, *n.offset);
  SLUICE_RETURN_IF_ERROR(check_agreement(out, n, steps));
  return out;
}

Status append(EncodingEntry& entry, const Numbers& numbers) {
  SLUICE_ASSIGN(const Meaning meaning, meaning_of(numbers, entry.bits, entry.symmetric));
  if (meaning.zero_point < 0 || meaning.zero_point > (std::int64_t{1} << entry.bits) - 1)
    return invalid(
        fmt::format("has the zero point {}, outside of its {} bits", meaning.zero_point, entry.bits));
  entry.scale.push_back(meaning.scale);
  entry.zero_point.push_back(meaning.zero_point);
  entry.positive_offset |= meaning.positive_offset;
  return {};
}

Status read_head(const Json& json, int default_bits, EncodingEntry& entry) {
  entry.bits = default_bits;
  SLUICE_RETURN_IF_ERROR(check_numbers(json));
  if (const Json* const bits = find(json, "bitwidth", "bw")) {
    if (!bits->is_number_integer()) return invalid("has " + bits->dump() + " bits, allowed: 8, 16");
    entry.bits = bits->get<int>();
  }
  if (entry.bits != 8 && entry.bits != 16)
    return invalid(fmt::format("has {} bits, allowed: 8, 16", entry.bits));
  if (const Json* const symmetric = find(json, "is_symmetric", "is_sym"))
    entry.symmetric = is_true(*symmetric);
  const Json* const dtype = find(json, "dtype");
  if (dtype && dtype->is_string() && dtype->get<std::string>() != "int" && dtype->get<std::string>() != "INT")
    return invalid("has the type '" + dtype->get<std::string>() + "', only int can be given");
  return {};
}

Result<EncodingEntry> parse_list(const Json& list, int default_bits) {
  EncodingEntry out;
  if (list.empty()) return invalid("is an empty list");
  for (const Json& item : list) {
    if (!item.is_object()) return invalid("is a list of something else than objects");
    EncodingEntry head;
    SLUICE_RETURN_IF_ERROR(read_head(item, default_bits, head));
    if (!out.scale.empty() && (head.bits != out.bits || head.symmetric != out.symmetric))
      return invalid("has channels of different kinds");
    out.bits = head.bits;
    out.symmetric = head.symmetric;
    SLUICE_RETURN_IF_ERROR(append(
        out, {number(item, "scale"), number(item, "offset"), number(item, "min"), number(item, "max")}));
  }
  return out;
}

std::optional<double> at(const Json* list, std::size_t i) {
  if (!list || !list->is_array() || i >= list->size() || !(*list)[i].is_number()) return std::nullopt;
  return (*list)[i].get<double>();
}

Result<EncodingEntry> parse_object(const Json& json, int default_bits) {
  EncodingEntry out;
  SLUICE_RETURN_IF_ERROR(read_head(json, default_bits, out));
  const Json* const scale = find(json, "scale");
  if (scale && scale->is_number()) {  // one entry of form 0.6.1 without its list
    SLUICE_RETURN_IF_ERROR(append(
        out, {number(json, "scale"), number(json, "offset"), number(json, "min"), number(json, "max")}));
    return out;
  }
  const Json *const offset = find(json, "offset"), *const min = find(json, "min"),
                    *const max = find(json, "max");
  const std::size_t channels = scale && scale->is_array() ? scale->size()
                               : min && min->is_array()   ? min->size()
                                                          : 0;
  if (channels == 0) return invalid("has no scale");
  if (offset && offset->is_array() && offset->size() != channels)
    return invalid(fmt::format("has {} scales and {} offsets", channels, offset->size()));
  for (std::size_t c = 0; c < channels; ++c)
    SLUICE_RETURN_IF_ERROR(append(out, {at(scale, c), at(offset, c), at(min, c), at(max, c)}));
  return out;
}

}  // namespace

Result<EncodingEntry> parse_entry(const Json& json, int default_bits) {
  if (json.is_array()) return parse_list(json, default_bits);
  if (json.is_object()) return parse_object(json, default_bits);
  return invalid("is neither a list nor an object");
}

Result<Encoding> unsigned_encoding(const EncodingEntry& entry) {
  Encoding out{entry.bits, false, -1, {}, {}};
  for (const double scale : entry.scale) out.scale.push_back(static_cast<float>(scale));
  for (const std::int64_t point : entry.zero_point)
    out.zero_point.push_back(static_cast<std::int32_t>(point));
  return out;
}

Result<Encoding> weight_encoding(const EncodingEntry& entry) {
  SLUICE_ASSIGN(Encoding out, unsigned_encoding(entry));
  if (!entry.symmetric) {
    if (entry.scale.size() > 1)
      return invalid("is per channel and not symmetric, which the HTP does not take");
    return out;
  }
  out.is_signed = true;
  out.zero_point.assign(out.scale.size(), 0);
  return out;
}

}  // namespace sluice::quantize
