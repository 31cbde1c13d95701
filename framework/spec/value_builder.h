// Builds a Value from the events of a YAML parser and enforces what the parser does not: unique text keys, no
// merge keys, no cycles, bounded depth and size.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/spec/spec.h"

namespace sluice {

// Thrown through the parser, and caught around it, when reading on makes no sense; the issue is already
// noted.
struct StopReading {};

class ValueBuilder {
 public:
  using AnchorId = std::size_t;  // 0: none

  ValueBuilder(Environment environment, Issues& issues) : environment_(environment), issues_(issues) {}

  // A scalar; `plain` ones are resolved by the core schema.
  void scalar(Mark mark, std::string_view text, bool plain, AnchorId anchor);
  // Null, written or not. The parser's mark is that of whatever follows when it is not, so in a map the key's
  // counts.
  void nothing(Mark mark, AnchorId anchor);
  void alias(Mark mark, std::string_view name, AnchorId anchor);
  void begin_list(Mark mark, AnchorId anchor) { begin(Value{Value::List{}, mark}, anchor); }
  void begin_map(Mark mark, AnchorId anchor) { begin(Value{Value::Map{}, mark}, anchor); }
  void end();
  void issue(Mark mark, std::string message);
  // What comes next is an item of a list.
  bool in_list() const { return !open_.empty() && open_.back().value.list(); }

  std::optional<Value> take() { return std::move(root_); }

 private:
  struct Open {
    Value value;
    AnchorId anchor = 0;
    std::size_t values_before = 0;
    std::size_t bytes_before = 0;
    bool expects_value = false;  // a map whose key has been read
    bool bad_key = false;        // the coming value belongs to a key that was refused
    bool is_key = false;         // a list or map written as a key: read to its end and refused
    std::string key;
    Mark key_mark;
  };
  // A finished anchored value and what it costs to repeat it.
  struct Anchored {
    Value value;
    std::size_t values;
    std::size_t bytes;
    int depth;
  };

  bool key_comes() const { return !open_.empty() && open_.back().value.map() && !open_.back().expects_value; }
  void begin(Value value, AnchorId anchor);
  void key(Mark mark, std::string_view text, bool plain);
  void refuse_key(Mark mark, std::string_view what);
  void add(Value value);
  void charge(Mark mark, std::size_t values, std::size_t bytes);
  void check_depth(Mark mark, int levels);
  void remember(AnchorId anchor, const Value& value, std::size_t values, std::size_t bytes);
  void remove_duplicates(Value::Map& map);
  [[noreturn]] void stop(Mark mark, std::string message);

  Environment environment_;
  Issues& issues_;
  std::vector<Open> open_;
  std::map<AnchorId, Anchored> anchors_;
  std::optional<Value> root_;
  std::size_t values_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace sluice
