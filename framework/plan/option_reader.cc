#include "framework/plan/option_reader.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "framework/core/suggest.h"
#include "framework/node/sections.h"
#include "framework/node/type_calls.h"
#include "framework/plan/plan.h"

namespace sluice::planning {
namespace {

// Not printf's, which writes the comma of the application's locale.
std::string number_text(double value) { return fmt::format("{:g}", value); }

std::string shown(const Value& value) { return value.text() ? in_quotes(*value.text()) : describe(value); }

std::string with_unit(const OptionDeclaration& option) {
  return option.unit.empty() ? "" : " " + option.unit;
}

std::string range_text(const OptionDeclaration& option) {
  if (std::isinf(option.max)) return "at least " + number_text(option.min) + with_unit(option);
  if (std::isinf(option.min)) return "at most " + number_text(option.max) + with_unit(option);
  return number_text(option.min) + " to " + number_text(option.max) + with_unit(option);
}

// A choice may look like a number or a truth value in YAML ("auto" next to true, 1).
std::string scalar_text(const Value& value) {
  if (const auto* text = value.text()) return *text;
  if (const auto* flag = std::get_if<bool>(&value.data)) return *flag ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&value.data)) return std::to_string(*whole);
  return {};
}

bool has_scheme(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon < 2) return false;
  return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '+' || c == '-' || c == '.';
  });
}

std::optional<int> whole_number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// "0,4-7": numbers and ranges from 0 up.
bool is_number_set(std::string_view set) {
  for (std::size_t begin = 0; begin <= set.size();) {
    const std::string_view part = set.substr(begin, set.find(',', begin) - begin);
    const std::size_t dash = part.find('-');
    const std::optional<int> first = whole_number(part.substr(0, dash));
    const std::optional<int> last = dash == part.npos ? first : whole_number(part.substr(dash + 1));
    if (!first || !last || *last < *first) return false;
    begin += part.size() + 1;
  }
  return true;
}

// Reads the values of one map; `prefix` is where it stands within the options ("batch.").
class Reader {
 public:
  Reader(const OptionPlace& place, Issues& issues) : place_(place), issues_(issues) {}

  OptionMap map(const std::string& prefix, const Declared& declared, const Value& written);

 private:
  // What is said of a key that is not declared.
  std::string why_refused(const std::string& name, const std::string& key, const Declared& declared) const;
  OptionValue value(const std::string& name, const OptionDeclaration& option, const Value& written);
  OptionValue flag(const std::string& name, const OptionDeclaration& option, const Value& written);
  OptionValue integer(const std::string& name, const OptionDeclaration& option, const Value& written);
  OptionValue number(const std::string& name, const OptionDeclaration& option, const Value& written);
  OptionValue text(const std::string& name, const OptionDeclaration& option, const Value& written);
  OptionValue name_or_digits(const std::string& name, const OptionDeclaration& option, const Value& written);
  OptionValue choice(const std::string& name, const OptionDeclaration& option, const Value& written);
  OptionValue path(const std::string& name, const OptionDeclaration& option, const Value& written);
  OptionValue list_of(const std::string& name, const OptionDeclaration& option, const Value& written);
  OptionValue number_set(const std::string& name, const OptionDeclaration& option, const Value& written);
  OptionValue maps(const std::string& name, const OptionDeclaration& option, const Value& written);
  OptionValue element(const std::string& name, const OptionDeclaration& option, const Value& written);

  // Checks the range; an integer stays one.
  template <typename T>
  OptionValue in_range(const std::string& name, const OptionDeclaration& option, const Value& written,
                       T number);
  bool among_choices(const OptionDeclaration& option, const Value& written) const;
  OptionValue wrong(const std::string& name, const Value& written, const std::string& rest);
  OptionValue wrong_type(const std::string& name, const OptionDeclaration& option, const Value& written,
                         const std::string& wanted);
  std::string subject(const std::string& name) const {
    return place_.owner + ": " + place_.noun + " '" + name + "'";
  }

  const OptionPlace& place_;
  Issues& issues_;
};

OptionValue Reader::wrong(const std::string& name, const Value& written, const std::string& rest) {
  issues_.push_back({written.mark, subject(name) + " is " + shown(written) + ", " + rest});
  return {};
}

OptionValue Reader::wrong_type(const std::string& name, const OptionDeclaration& option, const Value& written,
                               const std::string& wanted) {
  std::string also;
  if (!option.choices.empty()) also = ", or one of: " + comma_list(option.choices);
  const std::string unit = option.unit.empty() ? "" : " in " + option.unit;
  std::string hint;
  if (written.text()) hint = did_you_mean(*written.text(), option.choices);
  return wrong(name, written, "but must be " + wanted + unit + also + hint);
}

OptionMap Reader::map(const std::string& prefix, const Declared& declared, const Value& written) {
  OptionMap out;
  const Value::Map* entries = written.map();
  if (!entries) return out;
  for (const Value::Entry& entry : *entries) {
    const auto found = std::find_if(declared.begin(), declared.end(),
                                    [&](const OptionDeclaration* d) { return d->name == entry.key; });
    std::string name = prefix;
    name += entry.key;
    if (found != declared.end())
      out.insert_or_assign(entry.key, value(name, **found, entry.value));
    else
      issues_.push_back({entry.key_mark, why_refused(name, entry.key, declared)});
  }
  return out;
}

std::string Reader::why_refused(const std::string& name, const std::string& key,
                                const Declared& declared) const {
  if (const std::string reason = why_not_taken(name); !reason.empty())
    return subject(name) + " is not taken: " + reason;
  std::vector<std::string> names;
  names.reserve(declared.size());
  for (const OptionDeclaration* d : declared) names.push_back(d->name);
  const std::string rest = names.empty() ? ", there are none" : allowed(key, names);
  return place_.owner + ": unknown " + place_.noun + " " + in_quotes(name) + rest;
}

OptionValue Reader::value(const std::string& name, const OptionDeclaration& option, const Value& written) {
  if (written.is_null()) {
    issues_.push_back({written.mark, subject(name) + " has no value"});
    return {};
  }
  switch (option.kind) {
    case OptionKind::kNumbers:
    case OptionKind::kTexts:
    case OptionKind::kTextsOrPath:
      return list_of(name, option, written);
    case OptionKind::kNumberSet:
      return number_set(name, option, written);
    case OptionKind::kMap:
      if (!written.map()) return wrong_type(name, option, written, "a map");
      return {map(name + ".", declared(option.children), written)};
    case OptionKind::kMaps:
      return maps(name, option, written);
    default:
      return element(name, option, written);
  }
}

OptionValue Reader::element(const std::string& name, const OptionDeclaration& option, const Value& written) {
  switch (option.kind) {
    case OptionKind::kBool:
      return flag(name, option, written);
    case OptionKind::kInteger:
      return integer(name, option, written);
    case OptionKind::kNumber:
    case OptionKind::kNumbers:
    case OptionKind::kRate:
      return number(name, option, written);
    case OptionKind::kChoice:
      return choice(name, option, written);
    case OptionKind::kPath:
    case OptionKind::kPathOut:
    case OptionKind::kUri:
      return path(name, option, written);
    case OptionKind::kTextsOrPath:
      return name_or_digits(name, option, written);
    default:
      return text(name, option, written);
  }
}

bool Reader::among_choices(const OptionDeclaration& option, const Value& written) const {
  const std::string text = scalar_text(written);
  return !text.empty() &&
         std::find(option.choices.begin(), option.choices.end(), text) != option.choices.end();
}

OptionValue Reader::flag(const std::string& name, const OptionDeclaration& option, const Value& written) {
  if (const bool* flag = std::get_if<bool>(&written.data)) return {*flag};
  if (among_choices(option, written)) return {scalar_text(written)};
  return wrong_type(name, option, written, "true or false");
}

template <typename T>
OptionValue Reader::in_range(const std::string& name, const OptionDeclaration& option, const Value& written,
                             T number) {
  const auto value = static_cast<double>(number);
  if (value >= option.min && value <= option.max) return {number};
  return wrong(name, written, "allowed: " + range_text(option));
}

OptionValue Reader::integer(const std::string& name, const OptionDeclaration& option, const Value& written) {
  if (const auto* whole = std::get_if<std::int64_t>(&written.data))
    return in_range(name, option, written, *whole);
  if (among_choices(option, written)) return {scalar_text(written)};
  return wrong_type(name, option, written, "a whole number");
}

OptionValue Reader::number(const std::string& name, const OptionDeclaration& option, const Value& written) {
  const auto* whole = std::get_if<std::int64_t>(&written.data);
  const auto* real = std::get_if<double>(&written.data);
  if (whole || real) {
    const double value = whole ? static_cast<double>(*whole) : *real;
    if (option.kind == OptionKind::kRate && value <= 0)
      return wrong(name, written, "allowed: more than 0" + with_unit(option));
    return in_range(name, option, written, value);
  }
  if (among_choices(option, written)) return {scalar_text(written)};
  return wrong_type(name, option, written,
                    option.kind == OptionKind::kRate ? "a positive number" : "a number");
}

OptionValue Reader::text(const std::string& name, const OptionDeclaration& option, const Value& written) {
  if (!option.choices.empty()) return choice(name, option, written);
  if (written.text()) return {*written.text()};
  return wrong_type(name, option, written, "a text");
}

// Classes may be called by a number.
OptionValue Reader::name_or_digits(const std::string& name, const OptionDeclaration& option,
                                   const Value& written) {
  if (const auto* whole = std::get_if<std::int64_t>(&written.data)) return {std::to_string(*whole)};
  return text(name, option, written);
}

OptionValue Reader::choice(const std::string& name, const OptionDeclaration& option, const Value& written) {
  if (among_choices(option, written)) return {scalar_text(written)};
  return wrong(name, written, allowed(scalar_text(written), option.choices).substr(2));
}

OptionValue Reader::path(const std::string& name, const OptionDeclaration& option, const Value& written) {
  if (!written.text() || written.text()->empty()) return wrong_type(name, option, written, "a path");
  if (option.kind == OptionKind::kPathOut && *written.text() == "-") return {*written.text()};
  return {resolve_path(place_.base, *written.text())};
}

OptionValue Reader::list_of(const std::string& name, const OptionDeclaration& option, const Value& written) {
  const Value::List* items = written.list();
  if (!items && option.kind == OptionKind::kTextsOrPath) return path(name, option, written);
  if (!items) return element(name, option, written);
  OptionList out;
  for (const Value& item : *items) out.push_back(element(name, option, item));
  return {std::move(out)};
}

OptionValue Reader::number_set(const std::string& name, const OptionDeclaration& option,
                               const Value& written) {
  std::string set;
  const auto add = [&set](const Value& item) {
    const auto* whole = std::get_if<std::int64_t>(&item.data);
    if (!whole && (!item.text() || item.text()->empty())) return false;
    set += (set.empty() ? "" : ",") + (whole ? std::to_string(*whole) : *item.text());
    return true;
  };
  const Value::List* items = written.list();
  const bool right = items ? std::all_of(items->begin(), items->end(), add) : add(written);
  if (!right || !(among_choices(option, written) || is_number_set(set)))
    return wrong_type(name, option, written, "a text such as 0,4-7, a whole number or a list of both");
  return {std::move(set)};
}

OptionValue Reader::maps(const std::string& name, const OptionDeclaration& option, const Value& written) {
  if (!written.list()) return wrong_type(name, option, written, "a list of maps");
  OptionList out;
  for (const Value& item : *written.list()) {
    if (item.map()) {
      out.push_back({map(name + ".", declared(option.children), item)});
    } else {
      out.push_back(wrong_type(name, option, item, "a list of maps"));
    }
  }
  return {std::move(out)};
}

// Fills the values of one map; `prefix` is where it stands within the options ("batch.").
class Filler {
 public:
  Filler(const OptionPlace& place, Mark mark, Issues& issues) : place_(place), mark_(mark), issues_(issues) {}

  void fill(const std::string& prefix, const Declared& options, OptionMap& values) {
    for (const OptionDeclaration* option : options) {
      const auto [entry, added] = values.try_emplace(option->name, option->fallback);
      const std::string name = prefix + option->name;
      if (option->kind == OptionKind::kMap) {
        fill_map(name, *option, entry->second, added);
      } else if (added && option->required) {
        issues_.push_back({mark_, place_.owner + ": " + place_.noun + " '" + name + "' is missing"});
      }
    }
  }

 private:
  void fill_map(const std::string& name, const OptionDeclaration& option, OptionValue& value, bool added) {
    const auto is_required = [](const OptionDeclaration& child) { return child.required; };
    if (added && value.is_null()) {
      if (std::any_of(option.children.begin(), option.children.end(), is_required)) return;
      value.data = OptionMap{};
    }
    if (auto* map = std::get_if<OptionMap>(&value.data)) fill(name + ".", declared(option.children), *map);
  }

  const OptionPlace& place_;
  const Mark mark_;
  Issues& issues_;
};

template <typename Options>
Declared pointers(const Options& options) {
  Declared out;
  for (const OptionDeclaration& o : options) out.push_back(&o);
  return out;
}

}  // namespace

Declared declared(const std::deque<OptionDeclaration>& options) { return pointers(options); }
Declared declared(const std::vector<OptionDeclaration>& options) { return pointers(options); }

OptionMap read_options(const OptionPlace& place, const Declared& options, const Value& written,
                       Issues& issues) {
  if (!written.is_null() && !written.map()) {
    issues.push_back(
        {written.mark, place.owner + ": " + place.noun + "s are " + shown(written) + ", but must be a map"});
    return {};
  }
  return Reader(place, issues).map("", options, written);
}

void fill_defaults(const OptionPlace& place, const Declared& options, Mark mark, OptionMap& values,
                   Issues& issues) {
  Filler(place, mark, issues).fill("", options, values);
}

Status check_together(const NodeDeclaration& type, const Options& options, const RefuseOption& refuse) {
  if (!type.check_options) return {};
  return call_type("check_options", [&]() -> Status {
    type.check_options(options, refuse);
    return {};
  });
}

void overlay(const OptionMap& over, OptionMap& values) {
  for (const auto& [name, value] : over) {
    const auto* map = std::get_if<OptionMap>(&value.data);
    const auto [entry, added] = values.try_emplace(name, value);
    if (added) continue;
    auto* under = std::get_if<OptionMap>(&entry->second.data);
    if (map && under) {
      overlay(*map, *under);
    } else {
      entry->second = value;
    }
  }
}

std::string resolve_path(std::string_view base, std::string_view path) {
  if (base.empty() || base == "." || path.empty() || path.front() == '/' || has_scheme(path))
    return std::string(path);
  return (std::filesystem::path(base) / path).lexically_normal().string();
}

Value nested_value(std::string_view name, Value value) {
  const std::size_t dot = name.find('.');
  if (dot != std::string_view::npos) value = nested_value(name.substr(dot + 1), std::move(value));
  Value out;
  out.mark = value.mark;
  const Mark mark = value.mark;
  out.data = Value::Map{Value::Entry{std::string(name.substr(0, dot)), mark, std::move(value)}};
  return out;
}

}  // namespace sluice::planning

namespace sluice {

OptionMap parse_options(const std::string& owner, const std::deque<OptionDeclaration>& declared,
                        const Value& written, const std::string& base, Issues& issues) {
  const planning::OptionPlace place{owner, "option", base};
  const planning::Declared options = planning::declared(declared);
  OptionMap values = planning::read_options(place, options, written, issues);
  planning::fill_defaults(place, options, written.mark, values, issues);
  return values;
}

Result<OptionsPtr> set_option(const NodePlan& node, std::string_view option, std::string_view value) {
  const std::string owner = "node '" + node.id + "'";
  const std::string_view first = option.substr(0, option.find('.'));
  const auto& options = node.declaration->options;
  const auto found =
      std::find_if(options.begin(), options.end(), [&](const auto& o) { return o.name == first; });
  if (found != options.end() && !found->live) {
    return invalid(owner + ": option " + in_quotes(option) + " cannot be changed while running");
  }
  SLUICE_ASSIGN(Value parsed, parse_value(value));
  Issues issues;
  const planning::OptionPlace place{owner, "option", ""};
  const OptionMap change = planning::read_options(place, planning::declared(options),
                                                  planning::nested_value(option, std::move(parsed)), issues);
  if (!issues.empty()) return invalid(issues.front().message);
  OptionMap values = node.options->all();
  planning::overlay(change, values);
  planning::fill_defaults(place, planning::declared(options), {}, values, issues);
  if (!issues.empty()) return invalid(issues.front().message);
  auto all = std::make_shared<const Options>(std::move(values));
  Status refused;
  const Status threw =
      planning::check_together(*node.declaration, *all, [&](std::string_view, const Status& why) {
        if (refused.ok()) refused = why;
      });
  if (refused.ok()) refused = threw;
  if (!refused.ok()) return refused.with_context(owner + ": ");
  return OptionsPtr(std::move(all));
}

}  // namespace sluice
