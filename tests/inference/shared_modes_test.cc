// Nodes that share a session: the mode in which it runs, and what each node is told.
#include "inference/selection/shared_modes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/selection/selection.h"
#include "tests/inference/selector/selector_testing.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A session has one mode at a time: nodes that share it run in the fastest that one of them asks for, and
// each is told what holds.
class SharedSessionRun : public ::testing::Test {
 protected:
  static SelectedNode node(const char* id, PolicyKind kind) {
    std::vector<SelectorCandidate> all;
    for (const auto& [mode, ms] : {std::pair{"burst", 2.0}, {"balanced", 6.0}, {"power_saver", 15.0}})
      all.push_back(testing::candidate("htp", ms, 0, {}, mode));
    all.push_back(testing::candidate("cpu", 100, 1));
    return {id, all, {.kind = kind, .dwell_s = 3}, 0, {}};
  }
  std::vector<SelectionChange> second(Selection& selection) {
    now_ += from_s(1);
    for (std::size_t n = 0; n < selection.nodes(); ++n) {
      const int current = selection.current(n);
      for (int i = 0; i < 10 && current >= 0; ++i)
        selection.meter(n).add_run(
            static_cast<std::size_t>(current),
            from_ms(selection.node(n).candidates[static_cast<std::size_t>(current)].latency_ms.value));
    }
    return selection.on_period(now_, {});
  }
  static std::string mode(const Selection& selection, std::size_t n) {
    return selection.node(n).candidates[static_cast<std::size_t>(selection.current(n))].performance_mode;
  }
  TimeNs now_ = 0;
};

TEST_F(SharedSessionRun, RunsInTheFastestModeThatIsAskedForAndSaysSo) {
  for (const bool slow_first : {true, false}) {
    const SelectedNode slow = node("slow", PolicyKind::kEfficiency),
                       fast = node("fast", PolicyKind::kLatency);
    Selection selection(slow_first ? std::vector{slow, fast} : std::vector{fast, slow});
    const std::size_t s = slow_first ? 0 : 1;
    const auto changes = second(selection);
    EXPECT_EQ(mode(selection, 0), "burst");
    EXPECT_EQ(mode(selection, 1), "burst");
    ASSERT_THAT(changes, SizeIs(3)) << "two first choices, and what holds";
    EXPECT_EQ(changes[2].node, s);
    EXPECT_THAT(changes[2].reason, HasSubstr("its session is shared; of the modes that are asked for the "
                                             "fastest holds, burst; for itself: htp, balanced"));
    for (int i = 0; i < 30; ++i) EXPECT_THAT(second(selection), IsEmpty()) << "nothing goes to and fro";
    EXPECT_EQ(selection.state(s).candidates[1].base_ms, 6) << "no mode learns another's times";
    // The fast one leaves the session: now the other has it for itself.
    selection.note_failure(1 - s, 0, now_);
    second(selection);
    EXPECT_EQ(mode(selection, 1 - s), "");
    EXPECT_EQ(mode(selection, s), "balanced");
  }
}

TEST_F(SharedSessionRun, SessionsOfTheirOwnHaveModesOfTheirOwn) {
  Selection selection({node("slow", PolicyKind::kEfficiency), node("fast", PolicyKind::kLatency)});
  std::vector<SelectedNode> apart = {selection.node(0), selection.node(1)};
  apart[1].session_group = -1;
  Selection own(apart);
  second(own);
  EXPECT_EQ(mode(own, 0), "balanced");
  EXPECT_EQ(mode(own, 1), "burst");
}

// Nodes that choose nothing run in the mode that they were opened with, or a faster one.
TEST_F(SharedSessionRun, IsNoSlowerThanNodesNeedThatChooseNothing) {
  SelectedNode slow = node("slow", PolicyKind::kEfficiency);
  slow.least_mode = "high_performance";
  Selection selection({slow});
  second(selection);
  EXPECT_EQ(mode(selection, 0), "burst");
}

TEST(SharedModes, TakesAModeThatAllHave) {
  std::vector<SelectorCandidate> three, two;
  for (const char* mode : {"burst", "balanced", "power_saver"})
    three.push_back(testing::candidate("htp", 1, 0, {}, mode));
  for (const char* mode : {"burst", "low_balanced"}) two.push_back(testing::candidate("htp", 1, 0, {}, mode));
  const auto holds = [&](std::size_t wanted_of_three, std::size_t wanted_of_two) {
    const SessionUser users[] = {{three, wanted_of_three}, {two, wanted_of_two}};
    return candidate_that_holds(users);
  };
  EXPECT_EQ(holds(2, 1), 0u) << "low_balanced is not there for both";
  EXPECT_EQ(holds(0, 1), 0u);
  const SessionUser alone[] = {{three, 1}};
  EXPECT_EQ(candidate_that_holds(alone), 1u);
  EXPECT_EQ(candidate_that_holds(alone, "high_performance"), 0u);
}

}  // namespace
}  // namespace sluice
