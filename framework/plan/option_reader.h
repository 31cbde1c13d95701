// How written option values become typed ones: the steps behind parse_options, for the plan's own layering
// (defaults < `selector` and `backends` < options < --set).
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "framework/node/declaration.h"
#include "framework/spec/spec.h"

namespace sluice::planning {

// The declarations of one map; points into the declaring object.
using Declared = std::vector<const OptionDeclaration*>;
Declared declared(const std::deque<OptionDeclaration>& options);
Declared declared(const std::vector<OptionDeclaration>& options);

// Where messages and paths come from.
struct OptionPlace {
  std::string owner;  // "node 'pre'", "backends": starts each message
  std::string noun;   // "option" or "key"
  std::string base;   // relative paths are relative to this; empty or ".": the working directory
};

// What `written` (a map or null) says, typed; no defaults. A key whose value is wrong is left null after its
// issue.
OptionMap read_options(const OptionPlace& place, const Declared& declared, const Value& written,
                       Issues& issues);

// Adds defaults and null entries for what was not written; a required option that is missing is an issue at
// `mark`. A map that was not written and lacks a required one is null.
void fill_defaults(const OptionPlace& place, const Declared& declared, Mark mark, OptionMap& values,
                   Issues& issues);

// Asks the type's own check what is wrong with `options`, if it has one; what it throws is returned.
Status check_together(const NodeDeclaration& type, const Options& options, const RefuseOption& refuse);

// Values of `over` win; maps are merged key by key.
void overlay(const OptionMap& over, OptionMap& values);

// `path` as seen from the working directory when it was written relative to `base`. Texts with a scheme
// ("rtsp://...", "test:bars") are no paths and stay as they are.
std::string resolve_path(std::string_view base, std::string_view path);

// {name: value}, or {a: {b: value}} for "a.b".
Value nested_value(std::string_view name, Value value);

}  // namespace sluice::planning
