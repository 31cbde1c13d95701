#include "simulation/profile_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "framework/core/suggest.h"

namespace sluice {

std::optional<double> ProfileFields::read(std::string_view key, Range range) const {
  const Value* const value = fields_.find(key);
  if (!value) return std::nullopt;
  const std::optional<double> number = fields_.number(key);
  if (!number) return std::nullopt;
  if (*number >= range.low && *number <= range.high) return number;
  fields_.wrong(key, *value, fmt::format("{} to {} {}", range.low, range.high, range.unit));
  return std::nullopt;
}

double ProfileFields::number(std::string_view key, Range range, double fallback) const {
  return read(key, range).value_or(fallback);
}

double ProfileFields::required(std::string_view key, Range range) const {
  fields_.require(key, fmt::format("write it in {}", range.unit));
  return read(key, range).value_or(std::max(range.low, 1.0));
}

int ProfileFields::whole(std::string_view key, int low, int high, int fallback) const {
  return static_cast<int>(fields_.whole(key, low, high).value_or(fallback));
}

std::string ProfileFields::required_text(std::string_view key) const {
  fields_.require(key, "it is needed");
  return fields_.text(key).value_or("");
}

Origin ProfileFields::origin() const {
  constexpr std::array<std::string_view, 3> kLabels = {"P", "A", "F"};
  fields_.require("label", "write P (published), A (assumed) or F (fitted) for these numbers");
  fields_.require("from", "write the source of these numbers, or why they are assumed");
  const std::string label = fields_.choice("label", kLabels).value_or("A");
  Origin out;
  out.label = label == "P" ? Label::kPublished : label == "F" ? Label::kFitted : Label::kAssumed;
  out.from = fields_.text("from").value_or("");
  return out;
}

int ProfileFields::one_of(std::string_view key, const std::vector<std::string>& names,
                          std::string_view what) const {
  fields_.require(key, fmt::format("name one of the {}", what));
  const Value* const value = fields_.find(key);
  return value ? one_of(*value, key, names, what) : 0;
}

int ProfileFields::one_of(const Value& value, std::string_view key, const std::vector<std::string>& names,
                          std::string_view what) const {
  const std::string* const text = value.text();
  const auto found = text ? std::find(names.begin(), names.end(), *text) : names.end();
  if (found != names.end()) return static_cast<int>(found - names.begin());
  fields_.issue(value.mark, fmt::format("'{}' is {}, which is none of the {}{}", key, describe(value), what,
                                        allowed(text ? *text : "", std::span<const std::string>(names))));
  return 0;
}

const Value::List& ProfileFields::list(std::string_view key) const {
  static const Value::List kEmpty;
  const Value* const value = fields_.find(key);
  if (!value || value->is_null()) return kEmpty;
  if (value->list()) return *value->list();
  fields_.wrong(key, *value, "a list");
  return kEmpty;
}

}  // namespace sluice
