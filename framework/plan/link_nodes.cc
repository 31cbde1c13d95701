// Written inputs -> links: which node and port each input names, as far as the file alone tells.
#include <algorithm>

#include "framework/core/suggest.h"
#include "framework/plan/draft.h"

namespace sluice::planning {
namespace {

std::vector<std::string> port_names(const std::deque<PortDeclaration>& ports) {
  std::vector<std::string> out;
  for (const PortDeclaration& p : ports) {
    if (!p.dynamic) out.push_back(p.name);
  }
  return out;
}

int index_of(const std::deque<PortDeclaration>& ports, std::string_view name) {
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (!ports[i].dynamic && ports[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

int dynamic_port(const std::deque<PortDeclaration>& ports) {
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].dynamic) return static_cast<int>(i);
  }
  return -1;
}

bool takes_several(const PortDeclaration& port) { return port.dynamic || port.kind == PortKind::kTensorSet; }

class Linker {
 public:
  Linker(Draft& draft, int node)
      : d_(draft), node_(node), type_(draft.type(node)), spec_(*draft.draft(node).spec) {}

  void run() {
    if (type_.source) return no_inputs_expected();
    for (std::size_t i = 0; i < spec_.inputs.size(); ++i) {
      Link link;
      link.to = node_;
      link.spec = &spec_.inputs[i];
      if (i < spec_.input_elements.size()) link.element = spec_.input_elements[i];
      const bool found = spec_.inputs_by_port ? find_port(link) : place(link, i);
      if (found && find_origin(link)) {
        add(std::move(link));
      } else {
        d_.draft(node_).wrong_inputs = true;
      }
    }
  }

 private:
  void wrong(const Link& link, const std::string& rest) {
    d_.error(link.spec->mark, d_.owner(node_) + ": " + rest);
  }

  void no_inputs_expected() {
    if (spec_.inputs.empty()) return;
    d_.error(spec_.inputs.front().mark,
             d_.owner(node_) + ": a '" + type_.type + "' is a source and takes no inputs");
    d_.draft(node_).wrong_inputs = true;
    for (const InputSpec& input : spec_.inputs) mention(input.from);
  }

  void mention(std::string_view from) {
    const auto found = d_.node_index.find(from.substr(0, from.find('.')));
    if (found != d_.node_index.end()) d_.draft(found->second).mentioned = true;
  }

  // By name; names that the type does not declare belong to its dynamic port.
  bool find_port(Link& link) {
    const std::string& port = link.spec->port;
    link.to_port = index_of(type_.inputs, port);
    if (link.to_port >= 0 && !link.element.empty() &&
        type_.inputs[static_cast<std::size_t>(link.to_port)].kind != PortKind::kTensorSet) {
      mention(link.spec->from);
      wrong(link, "input " + in_quotes(port) + " takes one value, not a map of several");
      return false;
    }
    if (link.to_port >= 0) return true;
    link.to_port = dynamic_port(type_.inputs);
    if (link.to_port >= 0 && link.element.empty()) {
      link.element = port;
      return true;
    }
    mention(link.spec->from);
    if (link.to_port >= 0) {
      wrong(link, "input " + in_quotes(port) + " takes one value, not a map of several");
    } else {
      wrong(link, "type '" + type_.type + "' has no input " + in_quotes(port) +
                      allowed(port, port_names(type_.inputs)));
    }
    return false;
  }

  // By position; the last port takes the rest when it takes several.
  bool place(Link& link, std::size_t position) {
    if (!type_.inputs.empty()) {
      const std::size_t last = type_.inputs.size() - 1;
      link.to_port = static_cast<int>(std::min(position, last));
      if (position <= last || takes_several(type_.inputs[last])) return true;
    }
    mention(link.spec->from);
    const auto names = port_names(type_.inputs);
    wrong(link, "input " + std::to_string(position + 1) + " of " + std::to_string(spec_.inputs.size()) +
                    ", but type '" + type_.type + "' takes " +
                    (names.empty() ? "none"
                                   : "at most " + std::to_string(names.size()) + ": " + comma_list(names)));
    return false;
  }

  bool find_origin(Link& link) {
    const std::string& from = link.spec->from;
    const std::size_t dot = from.find('.');
    const std::string id = from.substr(0, dot);
    const auto found = d_.node_index.find(id);
    if (found == d_.node_index.end()) {
      std::vector<std::string> ids;
      for (const NodePlan& node : d_.plan->nodes) {
        if (node.id != spec_.id) ids.push_back(node.id);
      }
      wrong(link, "input " + in_quotes(from) + " names no node" + did_you_mean(id, ids));
      const std::vector<std::string_view> views(ids.begin(), ids.end());
      mention(nearest(id, views));  // what was meant is not unused
      return false;
    }
    link.from = found->second;
    d_.draft(link.from).mentioned = true;
    if (!d_.draft(link.from).known) return false;
    return find_output(link, dot == std::string::npos ? "" : from.substr(dot + 1), dot != std::string::npos);
  }

  bool find_output(Link& link, const std::string& name, bool named) {
    const auto& outputs = d_.type(link.from).outputs;
    const std::string id = d_.node(link.from).id;
    if (outputs.empty()) {
      wrong(link, "input " + in_quotes(link.spec->from) + ": '" + id + "' has no outputs");
      return false;
    }
    if (!named) {
      const bool set = type_.inputs[static_cast<std::size_t>(link.to_port)].kind == PortKind::kTensorSet;
      link.whole_node = set && link.element.empty();
      link.from_port = outputs.front().dynamic ? kNamedByModel : 0;
      return true;
    }
    link.from_port = index_of(outputs, name);
    if (link.from_port >= 0) return true;
    link.from_name = name;
    if (dynamic_port(outputs) >= 0 && !name.empty()) return true;  // kNamedByModel
    if (name.empty()) {
      wrong(link,
            "input " + in_quotes(link.spec->from) + ": the name of an output is missing behind the dot");
      return false;
    }
    wrong(link, "input " + in_quotes(link.spec->from) + ": '" + id + "' has no output " + in_quotes(name) +
                    allowed(name, port_names(outputs)));
    return false;
  }

  void add(Link link) {
    const int index = static_cast<int>(d_.links.size());
    d_.draft(link.from).out.push_back(index);
    d_.draft(link.to).in.push_back(index);
    d_.links.push_back(std::move(link));
  }

  Draft& d_;
  int node_;
  const NodeDeclaration& type_;
  const NodeSpec& spec_;
};

}  // namespace

void link_nodes(Draft& d) {
  for (int i = 0; i < static_cast<int>(d.nodes.size()); ++i) {
    if (d.draft(i).known) {
      Linker(d, i).run();
      continue;
    }
    for (const InputSpec& input : d.draft(i).spec->inputs) {  // what an unknown type reads is not unused
      const auto found = d.node_index.find(std::string_view(input.from).substr(0, input.from.find('.')));
      if (found != d.node_index.end()) d.draft(found->second).mentioned = true;
    }
  }
}

}  // namespace sluice::planning
