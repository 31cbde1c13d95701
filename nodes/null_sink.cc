#include "framework/node/node.h"
#include "nodes/declare.h"
#include "nodes/post_nodes.h"

namespace sluice {
namespace {

// null_sink: takes everything and does nothing: the end of a branch that is only measured.
//
// Inputs   in  anything, any number of them
// Outputs  none
// Drops    nothing
// Thread   worker
class NullSink final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Takes everything and does nothing.");
    d.input("in", PortKind::kAny).any_number().help("Anything.");
    d.sink = true;
    d.cheap = true;
    d.takes_lists = true;
  }

  Status process(Context&) override { return {}; }
};

}  // namespace

NodeDeclaration null_sink_declaration() { return declare<NullSink>("null_sink"); }

}  // namespace sluice
