#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "framework/core/suggest.h"
#include "framework/spec/fields.h"
#include "framework/spec/read.h"

namespace sluice {
namespace {

constexpr std::array<std::string_view, 5> kLongKeys = {"from", "sync", "max_age_ms", "capacity", "when_full"};
constexpr std::array<std::string_view, 2> kSyncs = {"exact", "latest"};
constexpr std::array<std::string_view, 3> kWhenFull = {"block", "drop_oldest", "drop_newest"};
constexpr std::int64_t kMostCapacity = 1024;

bool is_long_key(std::string_view key) {
  return std::find(kLongKeys.begin(), kLongKeys.end(), key) != kLongKeys.end();
}

class InputReader {
 public:
  InputReader(std::string owner, NodeSpec& node, Issues& issues)
      : owner_(std::move(owner)), node_(node), issues_(issues) {}

  void list(const Value::List& list) {
    for (const Value& item : list) {
      if (item.map() && !is_long_form(item)) {
        issue(item.mark,
              "an input in a list needs 'from'; a set given by output names needs its port: inputs: {PORT: "
              "{...}}");
      } else {
        source(item, "", "");
      }
    }
  }

  void by_port(const Value::Map& map) {
    node_.inputs_by_port = true;
    for (const Value::Entry& entry : map) {
      const Value::Map* const set = entry.value.map();
      if (!set || is_long_form(entry.value)) {
        source(entry.value, entry.key, "");
      } else if (set->empty()) {
        issue(entry.value.mark, "input " + in_quotes(entry.key) + " is an empty map");
      } else {
        for (const Value::Entry& element : *set) source(element.value, entry.key, element.key);
      }
    }
  }

  // One source: a text or the long form. `port` and `element` as InputSpec and NodeSpec::input_elements
  // define them.
  void source(const Value& value, const std::string& port, const std::string& element) {
    InputSpec input;
    input.port = port;
    input.mark = value.mark;
    const std::string* const text = value.text();
    if (value.map()) {
      long_form(value, input);
    } else if (text && !text->empty()) {
      input.from = *text;
    } else {
      const std::string what =
          port.empty() ? "an input" : "input " + in_quotes(element.empty() ? port : element);
      issue(value.mark,
            what + " is " + describe(value) + ", must be 'node', 'node.port' or a map with 'from'");
      return;
    }
    node_.inputs.push_back(std::move(input));
    node_.input_elements.push_back(element);
  }

  // Has 'from', or (then 'from' was forgotten or misspelt) another key that only the long form has.
  static bool is_long_form(const Value& value) {
    const auto& map = *value.map();
    return std::any_of(map.begin(), map.end(),
                       [](const Value::Entry& entry) { return is_long_key(entry.key); });
  }

 private:
  void issue(Mark mark, const std::string& message) { issues_.push_back({mark, owner_ + ": " + message}); }

  void long_form(const Value& value, InputSpec& input) {
    const Fields fields(value, input.port.empty() ? owner_ : owner_ + ": input " + in_quotes(input.port),
                        issues_);
    fields.only(kLongKeys);
    fields.require("from", "write the node or node.port that feeds it");
    if (const Value* const from = fields.find("from")) input.mark = from->mark;
    input.from = fields.text("from").value_or("");
    const auto sync = fields.choice("sync", kSyncs);
    if (sync == "latest") input.sync = Sync::kLatest;
    input.max_age_ms = fields.at_least("max_age_ms", 0, "milliseconds");
    if (const Value* const capacity = fields.find("capacity")) input.capacity_mark = capacity->mark;
    if (const auto capacity = fields.whole("capacity", 1, kMostCapacity))
      input.capacity = static_cast<int>(*capacity);
    if (const Value* const when_full = fields.find("when_full")) input.when_full_mark = when_full->mark;
    if (const auto choice = fields.choice("when_full", kWhenFull)) input.when_full = parse_when_full(*choice);
    if (sync || !fields.find("sync")) check_sync(fields, input);
  }

  static WhenFull parse_when_full(std::string_view choice) {
    if (choice == "block") return WhenFull::kBlock;
    return choice == "drop_oldest" ? WhenFull::kDropOldest : WhenFull::kDropNewest;
  }

  // A mailbox has an age and no queue, an exact edge a queue and no age.
  static void check_sync(const Fields& fields, const InputSpec& input) {
    const auto misplaced = [&](std::string_view key, std::string_view needed) {
      const Value* const value = fields.find(key);
      if (value) fields.issue(value->mark, in_quotes(key) + " needs 'sync: " + std::string(needed) + "'");
    };
    if (input.sync == Sync::kExact) return misplaced("max_age_ms", "latest");
    misplaced("capacity", "exact");
    misplaced("when_full", "exact");
  }

  std::string owner_;
  NodeSpec& node_;
  Issues& issues_;
};

// Whether a map of `inputs` is the long form of a single input and not one of ports: it has `from`, and alone
// or beside another of its keys or a value that names no node.
bool is_single(const Value& inputs) {
  const Value::Map& map = *inputs.map();
  if (!inputs.find("from")) return false;
  return map.size() == 1 || std::any_of(map.begin(), map.end(), [](const Value::Entry& entry) {
           const bool names_a_node = entry.value.text() || entry.value.map();
           return entry.key != "from" && (is_long_key(entry.key) || !names_a_node);
         });
}

}  // namespace

void read_inputs(const Value& inputs, const std::string& owner, NodeSpec& node, Issues& issues) {
  InputReader reader(owner, node, issues);
  if (const auto* const list = inputs.list()) return reader.list(*list);
  const Value::Map* const map = inputs.map();
  if (map && !is_single(inputs)) return reader.by_port(*map);
  if (!inputs.is_null()) reader.source(inputs, "", "");
}

}  // namespace sluice
