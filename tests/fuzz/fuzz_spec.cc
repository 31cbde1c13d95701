// Any bytes as a pipeline file and as a value of the command line: issues, never a crash, a hang or a broken
// promise.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "framework/spec/bytes.h"
#include "framework/spec/spec.h"
#include "framework/spec/yaml.h"

namespace {

std::optional<std::string> environment(std::string_view name) {
  if (name.size() > 4) return std::nullopt;
  return std::string(name.size() * 1000, 'x');
}

void require(bool promise) {
  if (!promise) std::abort();
}

std::size_t count(const sluice::Value& value, int depth) {
  require(depth <= sluice::kMaxYamlDepth);
  std::size_t values = 1;
  if (const auto* list = value.list()) {
    for (const auto& item : *list) values += count(item, depth + 1);
  }
  if (const auto* map = value.map()) {
    for (const auto& entry : *map) values += count(entry.value, depth + 1);
  }
  return values;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const sluice::YamlResult yaml = sluice::read_yaml(text, environment);
  require(yaml.value || !yaml.issues.empty() || text.find_first_not_of(" \t\r\n") == std::string_view::npos ||
          !sluice::check_bytes(text));
  if (yaml.value) require(count(*yaml.value, 0) <= sluice::kMaxYamlValues);

  const sluice::ParsedSpec parsed = sluice::parse_spec_text(text, "fuzz.yaml", ".", environment);
  for (const sluice::Issue& issue : parsed.issues) {
    const std::string line = sluice::format(parsed.spec.file, issue);
    require(issue.mark.line >= 1 && issue.mark.column >= 1);
    require(line.find('\n') == std::string::npos);
  }
  if (parsed.ok()) require(!parsed.spec.nodes.empty());
  for (const sluice::NodeSpec& node : parsed.spec.nodes)
    require(node.inputs.size() == node.input_elements.size());
  (void)sluice::parse_value(text);
  return 0;
}
