// Declarations that show every kind of port and option, for tests of what is made from them.
#pragma once

#include "framework/node/registry.h"

namespace sluice::testing {

inline OptionDeclaration declared(std::string name, OptionKind kind) {
  OptionDeclaration option;
  option.name = std::move(name);
  option.kind = kind;
  return option;
}

inline NodeDeclaration camera_declaration() {
  NodeDeclaration d;
  d.type = "camera";
  d.about("Makes frames.");
  d.source = true;
  d.thread = ThreadKind::kOwn;
  d.output("frame", PortKind::kFrame).help("The picture.").shared_read_only();
  d.option("uri", OptionKind::kUri).help("What to open.").must();
  d.option("timeout_ms", 5000).help("Longest silence.").in_unit("ms").range(1, 60000);
  d.option("pace", OptionKind::kRate).any_of({"realtime", "max"});
  d.option("loop", false);
  return d;
}

inline NodeDeclaration filter_declaration() {
  NodeDeclaration d;
  d.type = "filter";
  d.about("Changes frames.");
  d.input("image", PortKind::kFrame).edits();
  d.input("extra", PortKind::kAny).any_number().may_be_absent();
  d.output("frame", PortKind::kFrame).up_to(4);
  d.option("fit", "stretch").help("How sizes meet.").any_of({"stretch", "crop"});
  d.option("mean", OptionKind::kNumbers).range(0, 255);
  d.option("labels", OptionKind::kTextsOrPath);
  d.option("gain", 0.5).can_change();
  d.option("batch", OptionKind::kMap)
      .child(declared("max", OptionKind::kInteger).range(1, 64).help("Most per run."));
  d.option("steps", OptionKind::kMaps).child(declared("rate_hz", OptionKind::kNumber));
  return d;
}

inline NodeDeclaration sink_declaration() {
  NodeDeclaration d;
  d.type = "out";
  d.about("Takes frames.");
  d.sink = true;
  d.input("in", PortKind::kAny);
  return d;
}

inline Registry registry() {
  Registry out;
  for (NodeDeclaration d : {camera_declaration(), filter_declaration(), sink_declaration()}) {
    d.create = [] { return Result<std::unique_ptr<Node>>(failed("only declared")); };
    if (const Status status = out.add(std::move(d)); !status.ok()) std::abort();
  }
  return out;
}

}  // namespace sluice::testing
