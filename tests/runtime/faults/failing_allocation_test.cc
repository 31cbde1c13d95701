// The k-th allocation fails, in every part of a run: while the file is read and planned, while sources,
// sessions and pools are opened, and while frames go through.
#include <gmock/gmock.h>

#include <filesystem>

#include "runtime/builtin.h"
#include "tests/runtime/faults/failing_allocation.h"
#include "tests/runtime/faults/fault_run.h"

namespace sluice::testing {
namespace {

const char* const kModel =
    "version: 1\nname: short_of_memory\n"
    "models: {face: {path: data/models/face_detection_front_128x128.onnx}}\n"
    "nodes:\n"
    "  - {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64, fps: 30}}\n"
    "  - {id: pre, type: preprocess, inputs: cam, options: {model: face, mean: 127.5, std: 127.5}}\n"
    "  - {id: face, type: infer, inputs: pre, options: {model: face, backends: [fake], fake: {latency_ms: "
    "0}}}\n"
    "  - {id: boxes, type: detect, inputs: face, options: {decoder: blazeface}}\n"
    "  - {id: drawn, type: draw, inputs: {image: cam, detections: {from: boxes, sync: latest}}}\n"
    "  - {id: half, type: rate_limit, inputs: drawn, options: {rate_hz: 15}}\n"
    "  - {id: lines, type: json_sink, inputs: boxes, options: {path: /dev/null}}\n"
    "  - {id: shown, type: null_sink, inputs: half}\n";

// A real decoder, a real encoder.
std::string film(const std::string& folder) {
  return "version: 1\nname: film\nnodes:\n"
         "  - {id: cam, type: video_source, options: {uri: data/videos/face720.mp4}}\n"
         "  - {id: out, type: video_sink, inputs: cam, options: {path: " +
         folder + "/short_of_memory.avi, overwrite: true}}\n";
}

// Where in a run memory is short.
enum class Part { kLoad, kStart, kFrames, kEnd };

struct Short {
  Part part;
  std::int64_t k;
};

// What is allowed to come of it: everything went well, or a failure that says something.
void expect_said(const Status& status, std::initializer_list<Code> allowed) {
  if (status.ok()) return;
  EXPECT_TRUE(std::find(allowed.begin(), allowed.end(), status.code()) != allowed.end())
      << name_of(status.code()) << ": " << status.message();
  EXPECT_FALSE(status.message().empty());
}

// True when the k-th allocation was reached.
bool run_short_of_memory(const std::string& yaml, Short at) {
  const Registry registry = builtin_registry();
  LoadIssues issues;
  if (at.part == Part::kLoad) fail_allocation(at.k);
  std::optional<Pipeline> pipeline = Pipeline::load(yaml, registry, {}, issues);
  if (at.part == Part::kLoad && stop_failing_allocations()) {
    if (!pipeline) expect_said(issues.status(), {Code::kFailed, Code::kUnavailable});
    return true;
  }
  if (!pipeline) {
    ADD_FAILURE() << issues.status().message();
    return false;
  }
  RunOptions options;
  options.frames = 6;
  if (at.part == Part::kStart) fail_allocation(at.k);
  const Status started = pipeline->start(options);
  bool reached = at.part == Part::kStart && stop_failing_allocations();
  expect_said(started, {Code::kFailed, Code::kUnavailable});
  if (started.ok()) {
    if (at.part == Part::kFrames) fail_allocation(at.k);
    if (!pipeline->wait_for(120)) ADD_FAILURE() << "it hangs";
    reached |= at.part == Part::kFrames && stop_failing_allocations();
    if (at.part == Part::kEnd) fail_allocation(at.k);
    const Status ended = pipeline->wait();
    reached |= at.part == Part::kEnd && stop_failing_allocations();
    expect_said(ended, {Code::kFailed, Code::kTimeout});
  }
  const RunReport report = pipeline->report();
  EXPECT_EQ(broken_equations(report), "");
  EXPECT_EQ(report.status == RunStatus::kFailed, report.error.has_value());
  EXPECT_FALSE(to_json(report).empty());
  return reached;
}

void fail_each(const std::string& yaml, Part part, std::int64_t most, std::int64_t step) {
  run_short_of_memory(yaml, {Part::kLoad, INT64_MAX});  // libraries have their first time
  const int threads = threads_now();
  const int descriptors = descriptors_now();
  for (std::int64_t k = 1; k <= most; k += step) {
    const bool reached = run_short_of_memory(yaml, {part, k});
    ASSERT_FALSE(::testing::Test::HasFailure()) << "k = " << k;
    if (!reached) break;  // it needs fewer
  }
  EXPECT_TRUE(threads_come_down_to(threads)) << threads_now() << " instead of " << threads;
  EXPECT_EQ(descriptors_now(), descriptors);
}

void fail_everywhere(std::int64_t step) {
  for (const std::string& yaml : {std::string(kModel), film(::testing::TempDir())}) {
    for (const Part part : {Part::kLoad, Part::kStart, Part::kFrames, Part::kEnd}) {
      SCOPED_TRACE(yaml.substr(0, 40) + ", part " + std::to_string(static_cast<int>(part)));
      fail_each(yaml, part, 500, step);
      ASSERT_FALSE(::testing::Test::HasFailure());
    }
  }
}

TEST(FailingAllocation, OneInSeventeenOfTheFirstFiveHundred) { fail_everywhere(17); }
TEST(FailingAllocationSlow, EachOfTheFirstFiveHundred) { fail_everywhere(1); }

}  // namespace
}  // namespace sluice::testing
