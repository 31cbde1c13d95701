#include "framework/core/rate_grid.h"
#include "framework/node/node.h"
#include "nodes/declare.h"
#include "nodes/post_nodes.h"

namespace sluice {
namespace {

// rate_limit: lets at most `rate_hz` frames per second of media time through.
//
// Inputs   in   anything
// Outputs  out  the same packets
// Options  rate_hz  frames per second, above 0 to 100000; required, live
// Drops    filters all but the first frame of each period of media time (framework/core/rate_grid.h), so that
//          the mean rate holds; when the stream's time jumps back, it starts anew
// Thread   worker
class RateLimit final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Lets at most a given rate of frames through, by media time.");
    d.input("in", PortKind::kAny).help("Anything.");
    d.output("out", PortKind::kAny).help("The same.");
    d.option("rate_hz", OptionKind::kNumber)
        .must()
        .in_unit("Hz")
        .range(1e-3, 1e5)
        .can_change()
        .help("Most frames per second of media time.");
    d.cheap = true;
    d.takes_lists = true;
    d.filters = true;
    d.infer_types = [](const TypeContext& context) {
      return Result<std::vector<PortType>>({same_as_input(context, "out")});
    };
  }

  Status process(Context& context) override {
    if (!is_due(context.frame().media_time, from_s(1 / context.options().number("rate_hz")))) {
      context.filter();
      return {};
    }
    for (const Packet& packet : context.packets(0)) context.emit(packet);
    return {};
  }

 private:
  bool is_due(TimeNs now, TimeNs period) {
    if (started_ && now >= last_ && period_number(now, period) <= period_number(last_, period)) return false;
    last_ = now;
    started_ = true;
    return true;
  }

  bool started_ = false;
  TimeNs last_ = 0;  // media time of the last frame that passed
};

}  // namespace

NodeDeclaration rate_limit_declaration() { return declare<RateLimit>("rate_limit"); }

}  // namespace sluice
