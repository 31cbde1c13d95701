#include "framework/node/node.h"
#include "nodes/declare.h"
#include "nodes/post_nodes.h"

namespace sluice {
namespace {

// drop_stale: drops frames that are too old to be worth more work.
//
// Inputs   in   anything
// Outputs  out  the same packets
// Options  max_age_ms  age since the frame's latency start (contract section 5), on the run's clock, 0 = any;
//                      required, live
// Drops    frames older than max_age_ms, as `stale`
// Thread   worker
class DropStale final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Drops frames that are too old.");
    d.input("in", PortKind::kAny).help("Anything.");
    d.output("out", PortKind::kAny).help("The same.");
    d.option("max_age_ms", OptionKind::kNumber)
        .must()
        .in_unit("ms")
        .range(0, 1e9)
        .can_change()
        .help("Oldest age since capture that passes; 0: any.");
    d.cheap = true;
    d.takes_lists = true;
    d.infer_types = [](const TypeContext& context) {
      return Result<std::vector<PortType>>({same_as_input(context, "out")});
    };
  }

  Status process(Context& context) override {
    const TimeNs age = context.clock().now() - context.frame().captured;
    const double max_age_ms = context.options().number("max_age_ms");
    if (max_age_ms > 0 && age > from_ms(max_age_ms)) {
      context.drop(DropReason::kStale);
      return {};
    }
    for (const Packet& packet : context.packets(0)) context.emit(packet);
    return {};
  }
};

}  // namespace

NodeDeclaration drop_stale_declaration() { return declare<DropStale>("drop_stale"); }

}  // namespace sluice
