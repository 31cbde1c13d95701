// Typed option values as nodes read them. Parsed and checked by the plan from the node's declaration;
// immutable.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice {

struct OptionValue;
using OptionList = std::vector<OptionValue>;
using OptionMap = std::map<std::string, OptionValue, std::less<>>;

// null (monostate) = not written and no default.
struct OptionValue {
  std::variant<std::monostate, bool, std::int64_t, double, std::string, OptionList, OptionMap> data;
  bool is_null() const { return data.index() == 0; }
  bool operator==(const OptionValue&) const = default;
};

// All options of one node, defaults filled in. A node reads by the declared name; a name that was not
// declared is a programming error (assert).
class Options {
 public:
  Options() = default;
  explicit Options(OptionMap values) : values_(std::move(values)) {}

  bool has(std::string_view name) const;  // declared and not null
  bool flag(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  double number(std::string_view name) const;  // integers too
  const std::string& text(std::string_view name) const;
  std::vector<double> numbers(std::string_view name) const;     // a number counts as a list of one
  std::vector<std::string> texts(std::string_view name) const;  // a text counts as a list of one
  const OptionMap& map(std::string_view name) const;
  const OptionValue& value(std::string_view name) const;
  const OptionMap& all() const { return values_; }

 private:
  OptionMap values_;
};

using OptionsPtr = std::shared_ptr<const Options>;

}  // namespace sluice
