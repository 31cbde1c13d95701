#include "framework/spec/fields.h"

#include <algorithm>
#include <utility>

#include "framework/core/suggest.h"

namespace sluice {
namespace {

std::optional<double> as_number(const Value& value) {
  if (const auto* number = std::get_if<double>(&value.data)) return *number;
  if (const auto* number = std::get_if<std::int64_t>(&value.data)) return static_cast<double>(*number);
  return std::nullopt;
}

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

bool is_identifier(std::string_view text) {
  const auto inside = [](char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-'; };
  return !text.empty() && is_lower(text[0]) && std::all_of(text.begin(), text.end(), inside);
}

Fields::Fields(const Value& map, std::string owner, Issues& issues)
    : map_(map), prefix_(owner.empty() ? "" : std::move(owner) + ": "), issues_(issues) {}

void Fields::issue(Mark mark, std::string_view message) const {
  issues_.push_back({mark, prefix_ + std::string(message)});
}

void Fields::only(std::span<const std::string_view> keys) const {
  for (const Value::Entry& entry : *map_.map()) {
    if (std::find(keys.begin(), keys.end(), entry.key) != keys.end()) continue;
    issue(entry.key_mark, "unknown key " + in_quotes(entry.key) + allowed(entry.key, keys));
  }
}

void Fields::require(std::string_view key, std::string_view hint) const {
  if (!find(key)) issue(map_.mark, "key " + in_quotes(key) + " is missing; " + std::string(hint));
}

void Fields::wrong(std::string_view key, const Value& value, std::string_view what) const {
  issue(value.mark, in_quotes(key) + " is " + describe(value) + ", must be " + std::string(what));
}

std::optional<std::string> Fields::text(std::string_view key) const {
  const Value* const value = find(key);
  if (!value) return std::nullopt;
  const std::string* const text = value->text();
  if (text && !text->empty()) return *text;
  const bool scalar = !text && !value->is_null() && !value->list() && !value->map();
  wrong(key, *value, scalar ? "a text; put it in quotes" : "a text that is not empty");
  return std::nullopt;
}

std::optional<std::string> Fields::choice(std::string_view key,
                                          std::span<const std::string_view> choices) const {
  const Value* const value = find(key);
  if (!value) return std::nullopt;
  const std::string* const text = value->text();
  if (text && std::find(choices.begin(), choices.end(), *text) != choices.end()) return *text;
  issue(value->mark, in_quotes(key) + " is " + (text ? in_quotes(*text) : describe(*value)) +
                         allowed(text ? std::string_view(*text) : std::string_view(), choices));
  return std::nullopt;
}

std::optional<double> Fields::number(std::string_view key) const {
  const Value* const value = find(key);
  if (!value) return std::nullopt;
  const auto number = as_number(*value);
  if (!number) wrong(key, *value, "a number");
  return number;
}

std::optional<double> Fields::at_least(std::string_view key, double min, std::string_view unit) const {
  const Value* const value = find(key);
  if (!value) return std::nullopt;
  const auto number = as_number(*value);
  if (number && *number >= min) return number;
  const auto whole = static_cast<std::int64_t>(min);
  const Value least = static_cast<double>(whole) == min ? Value{whole, {}} : Value{min, {}};
  wrong(key, *value, "a number of " + std::string(unit) + " from " + describe(least) + " up");
  return std::nullopt;
}

std::optional<std::int64_t> Fields::whole(std::string_view key, std::int64_t min, std::int64_t max) const {
  const Value* const value = find(key);
  if (!value) return std::nullopt;
  const auto* const number = std::get_if<std::int64_t>(&value->data);
  if (number && *number >= min && *number <= max) return *number;
  wrong(key, *value, "a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  return std::nullopt;
}

std::optional<std::string> Fields::sha256(std::string_view key) const {
  const Value* const value = find(key);
  if (!value) return std::nullopt;
  std::string digits = value->text() ? *value->text() : "";
  const bool right =
      digits.size() == 64 && digits.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
  if (!right) {
    wrong(key, *value, "a text of 64 hexadecimal digits");
    return std::nullopt;
  }
  for (char& c : digits) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  }
  return digits;
}

const Value* Fields::map(std::string_view key) const {
  const Value* const value = find(key);
  if (!value || value->is_null()) return nullptr;
  if (value->map()) return value;
  wrong(key, *value, "a map");
  return nullptr;
}

}  // namespace sluice
