// Settings of the NPU that contradict each other: QNN takes them without a word, and the chip's own win.
#include "framework/plan/check_htp.h"

#include <algorithm>

#include "framework/node/htp_rules.h"

namespace sluice::planning {
namespace {

using Contradictions = std::vector<HtpContradiction>;

Contradictions contradictions_in(const OptionMap& values) {
  const auto htp = values.find("htp");
  const auto* keys = htp == values.end() ? nullptr : std::get_if<OptionMap>(&htp->second.data);
  if (!keys) return {};
  const Options options(*keys);
  for (const char* needed : {"soc", "arch", "vtcm_mb", "dma", "profiling"})
    if (!options.has(needed)) return {};  // reported already
  return htp_contradictions(options, find_htp_soc(options.text("soc")));
}

const Value* written(const Value& section, const std::string& key) {
  const Value* htp = section.find("htp");
  return htp ? htp->find(key) : nullptr;
}

// Where the file says the key; a node that does not inherits it from `backends`.
Mark place_of_key(const Draft& d, const NodeSpec& spec, const std::string& key) {
  if (const Value* own = written(spec.options, key)) return own->mark;
  const Value* shared = written(d.spec.backends, key);
  return shared ? shared->mark : spec.mark;
}

void check_node(Draft& d, int n, const Contradictions& inherited) {
  for (const HtpContradiction& found : contradictions_in(d.node(n).options->all())) {
    const auto same = [&](const HtpContradiction& other) { return other.text == found.text; };
    if (std::ranges::any_of(inherited, same)) continue;
    const std::string sentence = d.owner(n) + ": option 'htp." + found.key + "' " + found.text;
    if (is_set(d, n, "htp." + found.key) || is_set(d, n, "htp"))
      d.error({}, "--set: " + sentence);
    else
      d.error(place_of_key(d, *d.draft(n).spec, found.key), sentence);
  }
}

}  // namespace

void check_htp(Draft& d) {
  const Contradictions shared = contradictions_in(d.plan->backends);
  for (const HtpContradiction& found : shared) {
    const Value* key = written(d.spec.backends, found.key);
    d.error(key ? key->mark : d.spec.backends.mark, "backends: key 'htp." + found.key + "' " + found.text);
  }
  for (int n = 0; n < static_cast<int>(d.nodes.size()); ++n)
    if (d.draft(n).known && d.type(n).infers && !d.draft(n).wrong_options) check_node(d, n, shared);
}

}  // namespace sluice::planning
