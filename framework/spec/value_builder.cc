#include "framework/spec/value_builder.h"

#include <algorithm>
#include <utility>

#include "framework/core/suggest.h"
#include "framework/spec/expand.h"
#include "framework/spec/scalar.h"
#include "framework/spec/yaml.h"

namespace sluice {
namespace {

// Levels of lists and maps in a value; at most kMaxYamlDepth by construction.
int depth_of(const Value& value) {
  int deepest = 0;
  if (const auto* list = value.list()) {
    for (const Value& item : *list) deepest = std::max(deepest, depth_of(item));
  } else if (const auto* map = value.map()) {
    for (const Value::Entry& entry : *map) deepest = std::max(deepest, depth_of(entry.value));
  } else {
    return 0;
  }
  return deepest + 1;
}

// A digest may have no letter, or one 'e' that makes it look like a float: it is a text all the same.
bool is_digest(std::string_view key, std::string_view text) {
  return key == "sha256" && text.size() == 64 &&
         text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

std::string place(Mark mark) { return std::to_string(mark.line) + ":" + std::to_string(mark.column); }

}  // namespace

void ValueBuilder::issue(Mark mark, std::string message) { issues_.push_back({mark, std::move(message)}); }

void ValueBuilder::stop(Mark mark, std::string message) {
  issue(mark, std::move(message));
  throw StopReading{};
}

void ValueBuilder::charge(Mark mark, std::size_t values, std::size_t bytes) {
  values_ += values;
  bytes_ += bytes;
  if (values_ > kMaxYamlValues) {
    stop(mark, "more than 10,000 values (aliases count each time they are used), the most allowed");
  }
  if (bytes_ > kMaxYamlTextBytes) {
    stop(mark, "more than 1 MiB of text once ${} and aliases are expanded, the most allowed");
  }
}

void ValueBuilder::check_depth(Mark mark, int levels) {
  if (open_.size() + static_cast<std::size_t>(levels) > static_cast<std::size_t>(kMaxYamlDepth)) {
    stop(mark, "lists and maps are nested deeper than " + std::to_string(kMaxYamlDepth) +
                   " levels, the most allowed");
  }
}

void ValueBuilder::scalar(Mark mark, std::string_view text, bool plain, AnchorId anchor) {
  if (key_comes()) return key(mark, text, plain);
  Result<std::string> expanded = environment_ ? expand(text, environment_) : std::string(text);
  Result<Value> value = Value{std::monostate{}, mark};
  if (!expanded.ok()) {
    value = expanded.status();
  } else {
    charge(mark, 1, expanded->size());
    const bool resolves = plain && (open_.empty() || !is_digest(open_.back().key, *expanded));
    value = resolves ? resolve_scalar(*expanded, mark) : Value{*expanded, mark};
  }
  if (!value.ok()) {
    issue(mark, value.status().message());
    value = Value{std::string(text), mark};
  }
  remember(anchor, *value, 1, expanded.ok() ? expanded->size() : 0);
  add(*std::move(value));
}

void ValueBuilder::nothing(Mark mark, AnchorId anchor) {
  if (key_comes()) return refuse_key(mark, "null");
  if (!open_.empty() && open_.back().value.map()) mark = open_.back().key_mark;
  charge(mark, 1, 0);
  const Value value{std::monostate{}, mark};
  remember(anchor, value, 1, 0);
  add(value);
}

void ValueBuilder::alias(Mark mark, std::string_view name, AnchorId anchor) {
  if (key_comes()) return refuse_key(mark, "an alias");
  const auto found = anchors_.find(anchor);
  if (found == anchors_.end())
    stop(mark, "the alias " + in_quotes(name) + " stands inside the value it repeats (a cycle)");
  const Anchored& anchored = found->second;
  charge(mark, anchored.values, anchored.bytes);
  check_depth(mark, anchored.depth);
  Value copy = anchored.value;
  copy.mark = mark;
  add(std::move(copy));
}

void ValueBuilder::begin(Value value, AnchorId anchor) {
  const Mark mark = value.mark;
  check_depth(mark, 1);
  Open open;
  open.is_key = key_comes();
  open.anchor = anchor;
  open.values_before = values_;
  open.bytes_before = bytes_;
  open.value = std::move(value);
  charge(mark, 1, 0);
  open_.push_back(std::move(open));
}

void ValueBuilder::end() {
  Open done = std::move(open_.back());
  open_.pop_back();
  if (done.is_key) return refuse_key(done.value.mark, done.value.map() ? "a map" : "a list");
  if (auto* map = std::get_if<Value::Map>(&done.value.data)) remove_duplicates(*map);
  remember(done.anchor, done.value, values_ - done.values_before, bytes_ - done.bytes_before);
  add(std::move(done.value));
}

void ValueBuilder::key(Mark mark, std::string_view text, bool plain) {
  if (plain && text == "<<") {
    issue(mark, "merge keys ('<<') are not allowed; write the keys out");
    return refuse_key(mark, {});
  }
  charge(mark, 0, text.size());
  Open& top = open_.back();
  top.key = text;
  top.key_mark = mark;
  top.expects_value = true;
}

// `what` empty: the reason is already noted.
void ValueBuilder::refuse_key(Mark mark, std::string_view what) {
  if (!what.empty()) issue(mark, "a key is " + std::string(what) + ", must be a text");
  Open& top = open_.back();
  top.key_mark = mark;
  top.expects_value = true;
  top.bad_key = true;
}

void ValueBuilder::add(Value value) {
  if (open_.empty()) {
    root_ = std::move(value);
    return;
  }
  Open& top = open_.back();
  if (auto* list = std::get_if<Value::List>(&top.value.data)) {
    list->push_back(std::move(value));
    return;
  }
  if (!top.bad_key) {
    std::get<Value::Map>(top.value.data).push_back({std::move(top.key), top.key_mark, std::move(value)});
  }
  top.expects_value = false;
  top.bad_key = false;
}

void ValueBuilder::remember(AnchorId anchor, const Value& value, std::size_t values, std::size_t bytes) {
  if (anchor != 0) anchors_.insert_or_assign(anchor, Anchored{value, values, bytes, depth_of(value)});
}

void ValueBuilder::remove_duplicates(Value::Map& map) {
  std::vector<std::size_t> order(map.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return map[a].key < map[b].key; });
  std::vector<bool> again(map.size());
  std::size_t first = 0;
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (map[order[i]].key != map[order[first]].key) {
      first = i;
      continue;
    }
    again[order[i]] = true;
    const Value::Entry& entry = map[order[i]];
    issue(entry.key_mark,
          "key " + in_quotes(entry.key) + " is written twice, first at " + place(map[order[first]].key_mark));
  }
  Value::Map kept;
  kept.reserve(map.size());
  for (std::size_t i = 0; i < map.size(); ++i) {
    if (!again[i]) kept.push_back(std::move(map[i]));
  }
  map = std::move(kept);
}

}  // namespace sluice
