// Typed reading of one map of the file: unknown keys, missing keys, wrong types and ranges become issues in
// one wording.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "framework/spec/spec.h"

namespace sluice {

class Fields {
 public:
  // `map` must be a map and outlive this. `owner` stands before every message: "node 'pre'", or empty for the
  // file.
  Fields(const Value& map, std::string owner, Issues& issues);

  // Reports every other key.
  void only(std::span<const std::string_view> keys) const;

  // Null when the key is not there.
  const Value* find(std::string_view key) const { return map_.find(key); }
  Mark mark() const { return map_.mark; }

  // Each: nothing when the key is not there or its value is wrong; the latter is reported.
  std::optional<std::string> text(std::string_view key) const;  // not empty
  std::optional<std::string> choice(std::string_view key, std::span<const std::string_view> choices) const;
  std::optional<double> at_least(std::string_view key, double min, std::string_view unit) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<std::int64_t> whole(std::string_view key, std::int64_t min, std::int64_t max) const;
  // 64 hexadecimal digits, in lower case.
  std::optional<std::string> sha256(std::string_view key) const;
  // A map that is not null: its value.
  const Value* map(std::string_view key) const;

  // Missing: an issue at the map; `hint` says what to write.
  void require(std::string_view key, std::string_view hint) const;

  // "'KEY' is VALUE, must be WHAT", at the value.
  void wrong(std::string_view key, const Value& value, std::string_view what) const;
  void issue(Mark mark, std::string_view message) const;
  Issues& issues() const { return issues_; }

 private:
  const Value& map_;
  std::string prefix_;
  Issues& issues_;
};

// [a-z][a-z0-9_-]*
bool is_identifier(std::string_view text);

}  // namespace sluice
