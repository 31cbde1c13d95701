#include "framework/node/options.h"

#include <cassert>

namespace sluice {

const OptionValue& Options::value(std::string_view name) const {
  static const OptionValue kNull;
  auto it = values_.find(name);
  assert(it != values_.end() && "an option is read that the node did not declare");
  return it == values_.end() ? kNull : it->second;
}

bool Options::has(std::string_view name) const {
  auto it = values_.find(name);
  return it != values_.end() && !it->second.is_null();
}

bool Options::flag(std::string_view name) const {
  const bool* v = std::get_if<bool>(&value(name).data);
  return v && *v;
}

std::int64_t Options::integer(std::string_view name) const {
  const auto* v = std::get_if<std::int64_t>(&value(name).data);
  return v ? *v : 0;
}

namespace {

double as_number(const OptionValue& value) {
  if (const auto* i = std::get_if<std::int64_t>(&value.data)) return static_cast<double>(*i);
  const auto* d = std::get_if<double>(&value.data);
  return d ? *d : 0.0;
}

}  // namespace

double Options::number(std::string_view name) const { return as_number(value(name)); }

const std::string& Options::text(std::string_view name) const {
  static const std::string kEmpty;
  const auto* v = std::get_if<std::string>(&value(name).data);
  return v ? *v : kEmpty;
}

std::vector<double> Options::numbers(std::string_view name) const {
  const OptionValue& v = value(name);
  if (v.is_null()) return {};
  const auto* list = std::get_if<OptionList>(&v.data);
  if (!list) return {as_number(v)};
  std::vector<double> out;
  for (const OptionValue& item : *list) out.push_back(as_number(item));
  return out;
}

std::vector<std::string> Options::texts(std::string_view name) const {
  const OptionValue& v = value(name);
  if (const auto* text = std::get_if<std::string>(&v.data)) return {*text};
  std::vector<std::string> out;
  if (const auto* list = std::get_if<OptionList>(&v.data)) {
    for (const OptionValue& item : *list) {
      if (const auto* text = std::get_if<std::string>(&item.data)) out.push_back(*text);
    }
  }
  return out;
}

const OptionMap& Options::map(std::string_view name) const {
  static const OptionMap kEmpty;
  const auto* v = std::get_if<OptionMap>(&value(name).data);
  return v ? *v : kEmpty;
}

}  // namespace sluice
