#include "framework/node/node.h"
#include "nodes/declare.h"
#include "nodes/post_nodes.h"

namespace sluice {
namespace {

// switch: sends each frame one of two ways.
//
// Inputs   in    anything
// Outputs  a, b  the same packets, on the output that `to` names
// Options  to    a or b, default a, live: takes effect at a frame boundary
// Drops    filters the frame on the other output
// Thread   worker
class Switch final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Sends each frame to one of two outputs; can be changed while running.");
    d.input("in", PortKind::kAny).help("Anything.");
    d.output("a", PortKind::kAny).help("The same, while `to` is a.");
    d.output("b", PortKind::kAny).help("The same, while `to` is b.");
    OptionDeclaration& to = d.option("to", OptionKind::kChoice).any_of({"a", "b"}).can_change();
    to.help("The output that frames go to.").fallback = OptionValue{std::string("a")};
    d.cheap = true;
    d.takes_lists = true;
    d.filters = true;
    d.infer_types = [](const TypeContext& context) {
      return Result<std::vector<PortType>>({same_as_input(context, "a"), same_as_input(context, "b")});
    };
  }

  Status process(Context& context) override {
    const std::size_t to = context.options().text("to") == "b" ? 1 : 0;
    for (const Packet& packet : context.packets(0)) context.emit(to, packet);
    context.filter_port(1 - to);
    return {};
  }
};

}  // namespace

NodeDeclaration switch_declaration() { return declare<Switch>("switch"); }

}  // namespace sluice
