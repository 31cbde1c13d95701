// What the watchdog has to go by: any one message that is lost on its way leaves a wait that names it.
#include <gtest/gtest.h>

#include "framework/graph/discrete_executor.h"
#include "tests/framework/graph/flow_model.h"

namespace sluice::testing {
namespace {

std::vector<Waiting> causes(const Executor& executor) {
  std::vector<Waiting> out;
  for (const Waiting& w : executor.waiting()) {
    if (w.what != Waiting::For::kInput && w.what != Waiting::For::kTurn) out.push_back(w);
  }
  return out;
}

// False when the graph has fewer messages than that.
bool lose_one(const ModelGraph& graph, std::uint64_t n) {
  ManualClock clock;
  Model model(graph);
  DiscreteExecutor executor(model.setup(clock), clock);
  model.attach(executor, clock);
  executor.lose_message(n);
  EXPECT_TRUE(executor.start().ok());
  const bool finished = executor.wait(0);
  if (!executor.lost_message()) return false;
  const DiscreteExecutor::LostMessage lost = *executor.lost_message();
  EXPECT_FALSE(finished) << "a lost message must not go unnoticed";
  const std::vector<Waiting> found = causes(executor);
  EXPECT_EQ(found.size(), 1u);
  if (found.size() != 1) return true;
  EXPECT_EQ(found[0].what, Waiting::For::kMessage);
  EXPECT_EQ(found[0].unit, lost.consumer);
  EXPECT_EQ(found[0].producer, lost.producer);
  EXPECT_EQ(found[0].frame.source, lost.frame.source);
  EXPECT_EQ(found[0].frame.number, lost.frame.number);
  return true;
}

TEST(LostMessage, IsNamedWhereverItIsLost) {
  int lost = 0;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    const ModelGraph graph = random_graph(seed);
    for (std::uint64_t n = seed % 7; lose_one(graph, n); n += 23) ++lost;
    ASSERT_FALSE(::testing::Test::HasFailure()) << graph.text();
  }
  EXPECT_GE(lost, 1000);
}

TEST(LostMessage, NothingIsNamedWhenNothingIsLost) {
  const ModelGraph graph = random_graph(1);
  ManualClock clock;
  Model model(graph);
  DiscreteExecutor executor(model.setup(clock), clock);
  model.attach(executor, clock);
  EXPECT_TRUE(executor.start().ok());
  EXPECT_TRUE(executor.wait(0));
  EXPECT_TRUE(executor.waiting().empty());
}

}  // namespace
}  // namespace sluice::testing
