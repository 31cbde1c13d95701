#include "runtime/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/runtime/registry_fixture.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;
namespace fs = std::filesystem;

// camera -> change -> out, without edges: a trace looks at names only.
Plan example() {
  Plan plan;
  plan.name = "a \"b\"";
  const auto add = [&plan](const char* id, NodeDeclaration declaration) {
    NodePlan node;
    node.id = id;
    node.declaration = std::make_shared<const NodeDeclaration>(std::move(declaration));
    node.thread = node.declaration->thread;
    plan.nodes.push_back(std::move(node));
  };
  add("camera", testing::camera_declaration());
  add("change", testing::filter_declaration());
  add("out", testing::sink_declaration());
  plan.nodes[0].outputs = {{"frame", 1, 0, 5, false}};
  plan.sources.resize(1);
  return plan;
}

FlowEvent event(FlowEvent::Kind kind, int node, std::uint64_t frame, TimeNs begin, TimeNs end,
                DropReason reason = DropReason::kNone) {
  return {kind, reason, 0, 7, node, frame, begin, end};
}

class TraceTest : public ::testing::Test {
 protected:
  TraceTest() : folder_(fs::path(::testing::TempDir()) / ("trace_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~TraceTest() override { fs::remove_all(folder_); }

  std::string text() const {
    std::ostringstream all;
    all << std::ifstream(path()).rdbuf();
    return all.str();
  }
  std::string path() const { return (folder_ / "trace.json").string(); }
  // The events of a phase, of the finished file.
  std::vector<Json> events(const std::string& phase) const {
    const Json document = Json::parse(text());
    std::vector<Json> out;
    for (const Json& e : document.at("traceEvents")) {
      if (e.at("ph") == phase) out.push_back(e);
    }
    return out;
  }

  fs::path folder_;
  SteadyClock clock_;
  Plan plan_ = example();
  RunReport report_;
};

TEST_F(TraceTest, ARunIsASliceOfItsThread) {
  Trace trace(plan_, clock_);
  ASSERT_TRUE(trace.start(path(), nullptr).ok());
  trace.on_event(event(FlowEvent::Kind::kRun, 1, 12, 1'000'500, 3'000'750));
  ASSERT_TRUE(trace.finish(report_, 0).ok());
  const auto slices = events("X");
  ASSERT_EQ(slices.size(), 1u);
  EXPECT_EQ(slices[0]["name"], "change");
  EXPECT_EQ(slices[0]["tid"], 7);
  EXPECT_EQ(slices[0]["ts"], 1000.5);
  EXPECT_EQ(slices[0]["dur"], 2000.25);
  EXPECT_EQ(slices[0]["args"], Json({{"source", "camera"}, {"frame", 12}, {"result", "processed"}}));
  EXPECT_EQ(trace.figures().events, 1u);
  EXPECT_EQ(trace.figures().lost, 0u);
}

TEST_F(TraceTest, ThreadsAreNamedAfterWhatRunsThere) {
  Trace trace(plan_, clock_);
  ASSERT_TRUE(trace.start(path(), nullptr).ok());
  FlowEvent capture = event(FlowEvent::Kind::kCapture, 0, 0, 0, 5);
  capture.thread = 8;
  trace.on_event(event(FlowEvent::Kind::kRun, 1, 0, 1, 2));
  trace.on_event(event(FlowEvent::Kind::kRun, 1, 1, 3, 4));
  trace.on_event(capture);
  ASSERT_TRUE(trace.finish(report_, 0).ok());
  const auto names = events("M");
  ASSERT_EQ(names.size(), 3u) << "the process and two threads";
  EXPECT_EQ(names[0]["args"]["name"], "sluice a \"b\"");
  EXPECT_EQ(names[1]["args"]["name"], "worker 7");
  EXPECT_EQ(names[2]["args"]["name"], "camera (own thread)");
}

TEST_F(TraceTest, ALossIsAMarkWithItsReason) {
  Trace trace(plan_, clock_);
  ASSERT_TRUE(trace.start(path(), nullptr).ok());
  trace.on_event(event(FlowEvent::Kind::kDrop, 2, 4, 0, 2000, DropReason::kQueueFull));
  trace.on_event(event(FlowEvent::Kind::kRun, 1, 5, 1000, 2000, DropReason::kFailed));
  trace.on_event(event(FlowEvent::Kind::kRun, 1, 6, 3000, 4000, DropReason::kFiltered));
  ASSERT_TRUE(trace.finish(report_, 0).ok());
  const auto marks = events("i");
  ASSERT_EQ(marks.size(), 2u) << "turned away on purpose is no loss";
  EXPECT_EQ(marks[0]["name"], "queue_full at out");
  EXPECT_EQ(marks[0]["args"]["frame"], 4);
  EXPECT_EQ(marks[1]["name"], "failed at change");
  EXPECT_EQ(marks[1]["tid"], 7) << "in the thread where it happened";
}

TEST_F(TraceTest, WaitsAndFramesMayOverlap) {
  Trace trace(plan_, clock_);
  ASSERT_TRUE(trace.start(path(), nullptr).ok());
  trace.on_event(event(FlowEvent::Kind::kWait, 1, 0, 1000, 5000));
  trace.on_event(event(FlowEvent::Kind::kWait, 1, 1, 2000, 6000));
  trace.on_event(event(FlowEvent::Kind::kFrame, -1, 0, 0, 9000));
  ASSERT_TRUE(trace.finish(report_, 0).ok());
  const auto begins = events("b"), ends = events("e");
  ASSERT_EQ(begins.size(), 3u);
  EXPECT_NE(begins[0]["id"], begins[1]["id"]);
  EXPECT_EQ(begins[0]["name"], "change waits");
  EXPECT_EQ(begins[2]["name"], "camera frame");
  EXPECT_EQ(begins[2]["args"]["result"], "delivered");
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(begins[i]["id"], ends[i]["id"]);
}

TEST_F(TraceTest, DecisionsAndSettingsAreMarks) {
  report_.inference.push_back(
      {.node = "face", .decisions = {{0.5, "htp", "small", std::nullopt, 0, "too \"hot\""}}});
  report_.settings.push_back({1.5, "way", "to", "b"});
  Trace trace(plan_, clock_);
  ASSERT_TRUE(trace.start(path(), nullptr).ok());
  ASSERT_TRUE(trace.finish(report_, from_s(1)).ok());
  const auto marks = events("i");
  ASSERT_EQ(marks.size(), 2u);
  EXPECT_EQ(marks[0]["name"], "face: htp, variant small");
  EXPECT_EQ(marks[0]["ts"], 1.5e6);
  EXPECT_EQ(marks[0]["args"]["why"], "too \"hot\"");
  EXPECT_EQ(marks[1]["name"], "way.to = b");
}

// Nobody empties the ring before `start`: what does not fit is counted, and the file says so.
TEST_F(TraceTest, WhatFindsNoPlaceIsCounted) {
  Trace trace(plan_, clock_);
  constexpr std::uint64_t kTooMany = 1000;
  for (std::uint64_t i = 0; i < Trace::kRingEvents + kTooMany; ++i) {
    trace.on_event(event(FlowEvent::Kind::kRun, 1, i, static_cast<TimeNs>(i), static_cast<TimeNs>(i)));
  }
  EXPECT_GE(trace.figures().lost, kTooMany);
  const std::uint64_t lost = trace.figures().lost;
  ASSERT_TRUE(trace.start(path(), nullptr).ok());
  ASSERT_TRUE(trace.finish(report_, 0).ok());
  EXPECT_EQ(trace.figures().events + lost, Trace::kRingEvents + kTooMany);
  EXPECT_EQ(events("X").size(), trace.figures().events);
  ASSERT_EQ(events("i").size(), 1u);
  EXPECT_EQ(events("i")[0]["name"], std::to_string(lost) + " events lost");
  EXPECT_EQ(Json::parse(text())["otherData"]["lost"], lost);
}

TEST_F(TraceTest, TheFileEndsAtItsLimit) {
  Trace trace(plan_, clock_, 300 * 1024);
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    trace.on_event(event(FlowEvent::Kind::kRun, 1, i, static_cast<TimeNs>(i), static_cast<TimeNs>(i)));
  }
  ASSERT_TRUE(trace.start(path(), nullptr).ok());
  ASSERT_TRUE(trace.finish(report_, 0).ok());
  EXPECT_LT(text().size(), 300u * 1024);
  EXPECT_GT(trace.figures().lost, 0u);
  EXPECT_EQ(trace.figures().events + trace.figures().lost, 10'000u);
  EXPECT_EQ(events("X").size(), trace.figures().events);
}

TEST_F(TraceTest, WithoutAnEndTheOldFileStays) {
  std::ofstream(path()) << "old";
  {
    Trace trace(plan_, clock_);
    ASSERT_TRUE(trace.start(path(), nullptr).ok());
    trace.on_event(event(FlowEvent::Kind::kRun, 1, 0, 0, 1));
  }
  EXPECT_EQ(text(), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(TraceTest, AFolderThatIsNotThereIsAFailure) {
  Trace trace(plan_, clock_);
  const Status status = trace.start((folder_ / "none" / "t.json").string(), nullptr);
  EXPECT_EQ(status.code(), Code::kFailed);
  EXPECT_THAT(status.message(), HasSubstr("--trace: '"));
  EXPECT_THAT(status.message(), HasSubstr("cannot be written: No such file or directory"));
}

TEST_F(TraceTest, LevelsAreToldWhenTheyChange) {
  TraceJson json(plan_);
  json.begin();
  json.add_level(1000, 0, 0, 3, 2);
  json.add_level(2000, 0, 0, 3, 2);
  json.add_level(3000, 0, 0, 2, 2);
  json.end(0, report_, 0);
  const Json document = Json::parse(json.text());
  ASSERT_EQ(document["traceEvents"].size(), 3u);
  EXPECT_EQ(document["traceEvents"][1]["name"], "pool camera.frame");
  EXPECT_EQ(document["traceEvents"][2]["args"], Json({{"packets", 2}, {"buffers", 2}}));
}

}  // namespace
}  // namespace sluice
