// Typed reading of one map of a profile: on top of the spec's Fields, numbers with both ends of their range
// (a unit error such as 42000 degrees C is out of it), references by name, and where the numbers come from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "framework/spec/fields.h"
#include "simulation/profile.h"

namespace sluice {

struct Range {
  double low, high;
  std::string_view unit;
};
constexpr Range kCelsius{-50, 200, "degrees C"};
constexpr Range kKelvin{0, 100, "K"};
constexpr Range kWatts{0, 1000, "W"};
constexpr Range kMillis{0, 100'000, "ms"};
constexpr Range kSeconds{0, 3600, "s"};
constexpr Range kShare{0, 1, "share"};

class ProfileFields {
 public:
  ProfileFields(const Value& map, const std::string& owner, Issues& issues) : fields_(map, owner, issues) {}

  const Fields& fields() const { return fields_; }
  // `fallback` when the key is not there or wrong (reported).
  double number(std::string_view key, Range range, double fallback) const;
  // The same for a key that has to be there.
  double required(std::string_view key, Range range) const;
  int whole(std::string_view key, int low, int high, int fallback) const;
  std::string required_text(std::string_view key) const;
  // 'label' (P, A or F) and 'from'.
  Origin origin() const;
  // The position of the name at `key` in `names`; 0 when it is none of them (reported).
  int one_of(std::string_view key, const std::vector<std::string>& names, std::string_view what) const;
  int one_of(const Value& value, std::string_view key, const std::vector<std::string>& names,
             std::string_view what) const;
  // The elements of the list at `key`; empty when it is not there.
  const Value::List& list(std::string_view key) const;

 private:
  std::optional<double> read(std::string_view key, Range range) const;

  Fields fields_;
};

}  // namespace sluice
