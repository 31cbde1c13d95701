// What the tests of the spec room share: an environment of their own, and issues as one string each.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/spec/spec.h"

namespace sluice::testing {

// HOME_DIR=/data/cam, EMPTY= (set, empty), THREADS=3, BAD=\xff, CONTROL=\x01, BIG=100,000 bytes; nothing else
// is set.
std::optional<std::string> fake_environment(std::string_view name);

inline ParsedSpec parse(std::string_view text) {
  return parse_spec_text(text, "p.yaml", "dir", fake_environment);
}

// "LINE:COLUMN: MESSAGE" of every issue of the text, in order.
inline std::vector<std::string> issues_of(std::string_view text) {
  std::vector<std::string> out;
  for (const Issue& issue : parse(text).issues) {
    out.push_back(std::to_string(issue.mark.line) + ":" + std::to_string(issue.mark.column) + ": " +
                  issue.message);
  }
  return out;
}

// A valid file around one part: `text` stands behind "version: 1" and one node, from line 3 on.
inline std::string with_node(std::string_view text) {
  return "version: 1\nnodes: [{id: a, type: null_sink}]\n" + std::string(text);
}

}  // namespace sluice::testing
