// A node of an application's own, with a value of its own that travels along its edges.
#pragma once

#include <sluice/sluice.h>

#include <string_view>
#include <utility>

// What travels.
struct Brightness {
  static constexpr std::string_view kPayloadName = "brightness";
  int value = 0;
};

// doubler: tells the brightness of the first pixel, `times` over.
//
// Inputs   frame       nv12, i420 or gray
// Outputs  brightness  Brightness
// Options  times       factor, 1..10 (2); may change while running
// Drops    nothing
// Thread   worker
class Doubler final : public sluice::Node {
 public:
  static void describe(sluice::NodeDeclaration& declaration) {
    declaration.about("Tells the brightness of the first pixel, some times over.");
    declaration.input("frame", sluice::PortKind::kFrame).help("A picture with its brightness first.");
    declaration.custom_output<Brightness>("brightness").help("What was found.");
    declaration.option("times", 2).range(1, 10).can_change().help("Factor.");
  }

  sluice::Status process(sluice::Context& context) override {
    const auto* image = context.input<sluice::Image>();
    auto made = context.make();
    if (!made.ok()) return made.status();
    const auto times = static_cast<int>(context.options().integer("times"));
    made->edit<Brightness>()->value = times * image->planes[0][0];
    context.emit(std::move(*made));
    return {};
  }
};
