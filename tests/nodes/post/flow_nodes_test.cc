// rate_limit, drop_stale, switch, null_sink, and the list of all nodes of this part.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "nodes/post_nodes.h"
#include "tests/nodes/fake_context.h"

namespace sluice {
namespace {

using namespace sluice::testing;

// Which of `times` (media time) a rate_limit lets through.
std::vector<TimeNs> passed(double rate_hz, const std::vector<TimeNs>& times) {
  const NodeDeclaration declaration = rate_limit_declaration();
  const auto node = declaration.create().value();
  FakeContext context(options_of(declaration, {{"rate_hz", number(rate_hz)}}));
  context.set_input(0, make_packet(Detections{}));
  std::vector<TimeNs> out;
  for (const TimeNs time : times) {
    context.clear();
    context.info.media_time = time;
    EXPECT_TRUE(node->process(context).ok());
    EXPECT_NE(context.filtered, context.emitted().size() == 1);
    if (!context.filtered) out.push_back(time);
  }
  return out;
}

std::vector<TimeNs> stream(double fps, std::size_t frames, TimeNs rounded_to = 1) {
  std::vector<TimeNs> out;
  out.reserve(frames);
  for (std::size_t i = 0; i < frames; ++i) {
    out.push_back(from_s(static_cast<double>(i) / fps) / rounded_to * rounded_to);
  }
  return out;
}

TEST(RateLimit, PassesEveryThirdFrameOf30At10) {
  const std::vector<TimeNs> times = stream(30, 31);
  const std::vector<TimeNs> out = passed(10, times);
  ASSERT_EQ(out.size(), 11U);
  for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], times[3 * i]);
}

TEST(RateLimit, HoldsInMillisecondTimeBases) {
  EXPECT_EQ(passed(15, stream(30, 300, from_ms(1))).size(), 150U);
  EXPECT_EQ(passed(30, stream(30, 300, from_ms(1))).size(), 300U) << "its own rate changes nothing";
}

TEST(RateLimit, KeepsTheMeanRateWhenItDoesNotDivide) {
  EXPECT_NEAR(static_cast<double>(passed(25, stream(30, 3000)).size()), 2500, 1);
  EXPECT_NEAR(static_cast<double>(passed(7, stream(30, 3000)).size()), 700, 1);
}

TEST(RateLimit, DoesNotCatchUpAfterAGap) {
  EXPECT_THAT(passed(10, {0, from_ms(5000), from_ms(5033), from_ms(5066), from_ms(5100)}),
              ::testing::ElementsAre(0, from_ms(5000), from_ms(5100)));
}

// The grid begins with the source, not with the first frame that comes here.
TEST(RateLimit, ALostFrameMovesNoLaterOne) {
  EXPECT_THAT(passed(10, {from_ms(33), from_ms(67), from_ms(100), from_ms(133), from_ms(233), from_ms(300)}),
              ::testing::ElementsAre(from_ms(33), from_ms(100), from_ms(233), from_ms(300)));
}

TEST(RateLimit, StartsAnewWhenTimeJumpsBack) {
  EXPECT_THAT(passed(10, {from_ms(9000), 0, from_ms(33), from_ms(100)}),
              ::testing::ElementsAre(from_ms(9000), 0, from_ms(100)));
}

TEST(RateLimit, IsNeverAboveTheRateOnRandomStreams) {
  for (unsigned seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::exponential_distribution<double> gap(20 + seed);
    std::vector<TimeNs> times = {0};
    for (int i = 0; i < 500; ++i) times.push_back(times.back() + from_s(gap(random)));
    const double most = to_s(times.back()) * 10 + 1;
    EXPECT_LE(static_cast<double>(passed(10, times).size()), most + 1);
  }
}

TEST(RateLimit, ForwardsListsWhole) {
  const NodeDeclaration declaration = rate_limit_declaration();
  const auto node = declaration.create().value();
  FakeContext context(options_of(declaration, {{"rate_hz", number(1)}}));
  context.set_input(0, {make_packet(Detections{}), Packet(), make_packet(Detections{})});
  ASSERT_TRUE(node->process(context).ok());
  EXPECT_EQ(context.emitted().size(), 3U);
  EXPECT_FALSE(context.emitted()[1]) << "a failed element stays one";
}

TEST(DropStale, DropsWhatIsOlderThanItsAge) {
  const NodeDeclaration declaration = drop_stale_declaration();
  const auto node = declaration.create().value();
  FakeContext context(options_of(declaration, {{"max_age_ms", number(100)}}));
  context.set_input(0, make_packet(Detections{}));
  context.info.captured = from_ms(50);
  context.time.advance_to(from_ms(150));
  ASSERT_TRUE(node->process(context).ok());
  EXPECT_FALSE(context.dropped) << "exactly the age passes";
  EXPECT_EQ(context.emitted().size(), 1U);
  context.clear();
  context.time.advance_to(from_ms(150) + 1);
  ASSERT_TRUE(node->process(context).ok());
  EXPECT_EQ(context.dropped, DropReason::kStale);
  EXPECT_TRUE(context.emitted().empty());
}

TEST(DropStale, WithoutALimitDropsNothing) {
  const NodeDeclaration declaration = drop_stale_declaration();
  const auto node = declaration.create().value();
  FakeContext context(options_of(declaration, {{"max_age_ms", number(0)}}));
  context.set_input(0, make_packet(Detections{}));
  context.time.advance_to(from_s(3600));
  ASSERT_TRUE(node->process(context).ok());
  EXPECT_FALSE(context.dropped);
  EXPECT_EQ(context.emitted().size(), 1U);
}

TEST(Switch, SendsOneWayAndFiltersTheOther) {
  const NodeDeclaration declaration = switch_declaration();
  const auto node = declaration.create().value();
  FakeContext context(options_of(declaration));
  context.set_input(0, make_packet(Detections{}));
  ASSERT_TRUE(node->process(context).ok());
  EXPECT_EQ(context.emitted(0).size(), 1U);
  EXPECT_THAT(context.filtered_ports, ::testing::ElementsAre(1));
  context.clear();
  context.set_options(options_of(declaration, {{"to", text("b")}}));
  ASSERT_TRUE(node->process(context).ok());
  EXPECT_EQ(context.emitted(1).size(), 1U);
  EXPECT_TRUE(context.emitted(0).empty());
  EXPECT_THAT(context.filtered_ports, ::testing::ElementsAre(0));
  EXPECT_TRUE(declaration.options[0].live);
}

TEST(PassingNodes, OutputsHaveTheTypeOfTheInput) {
  PortType port = image_port({PixelFormat::kNv12, 64, 48, {}, 90});
  port.max_packets = 7;
  for (const auto& declaration : {rate_limit_declaration(), drop_stale_declaration(), switch_declaration()}) {
    FakeTypes types;
    types.ports = {{port}};
    const auto out = declaration.infer_types(types);
    ASSERT_TRUE(out.ok());
    ASSERT_EQ(out->size(), declaration.outputs.size());
    for (std::size_t i = 0; i < out->size(); ++i) {
      EXPECT_EQ(out->at(i).name, declaration.outputs[i].name);
      EXPECT_EQ(out->at(i).kind, PortKind::kFrame);
      EXPECT_EQ(out->at(i).image, port.image);
      EXPECT_EQ(out->at(i).max_packets, 7);
    }
  }
}

TEST(NullSink, TakesAnything) {
  const NodeDeclaration declaration = null_sink_declaration();
  EXPECT_TRUE(declaration.sink);
  FakeContext context;
  EXPECT_TRUE(declaration.create().value()->process(context).ok());
}

TEST(PostNodes, AreRegisteredOnceAndDocumented) {
  Registry registry;
  ASSERT_TRUE(register_post_nodes(registry).ok());
  EXPECT_FALSE(register_post_nodes(registry).ok()) << "a name may be added once";
  for (const char* type : {"detect", "classify", "draw", "rate_limit", "drop_stale", "switch", "json_sink",
                           "null_sink", "app_source", "app_sink"}) {
    const NodeDeclaration* declaration = registry.find(type);
    ASSERT_TRUE(declaration) << type;
    EXPECT_FALSE(declaration->summary.empty()) << type;
    for (const auto& port : declaration->inputs) EXPECT_FALSE(port.doc.empty()) << type << " " << port.name;
    for (const auto& port : declaration->outputs) EXPECT_FALSE(port.doc.empty()) << type << " " << port.name;
    for (const auto& option : declaration->options)
      EXPECT_FALSE(option.doc.empty()) << type << " " << option.name;
  }
}

}  // namespace
}  // namespace sluice
