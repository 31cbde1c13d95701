#include "runtime/report.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const RunReport& report) { return Json::parse(to_json(report)); }

RunReport example() {
  RunReport r;
  r.pipeline = "face_detect";
  r.wall_s = 12.3;
  r.fps = 29.9;
  r.latency = {9.1, 8.9, 11.2, 13.0, 15.1};
  r.after_source = {7.0, 6.9, 8.1, 9.9, 12.0};
  r.core_ms_per_frame = 7.9;
  r.peak_rss_mb = 120.5;
  r.rss_mb = 118.0;
  r.pool_mb = 18.0;
  r.allocations_per_frame = 0.0;
  r.allocations_per_frame_total = 41.0;
  r.page_faults_per_frame = 0.5;
  DropCounts stale{};
  stale[static_cast<std::size_t>(DropReason::kStale)] = 3;
  r.sources = {{"camera", 300, 297, stale, 0, 0, 0, {}}};
  r.sinks = {{"out", 300, 297, stale, 0, 0, 29.9, {{}, 8.9, 11.2, {}, {}}}};
  r.nodes = {{"pre", "preprocess", 300, 300, 0, {}, 300, 0, {{}, 0.3, 0.4, {}, {}}, {{}, 0.0, 0.1, {}, {}}}};
  InferenceReport face{"face",
                       "face",
                       "w8a16",
                       "htp",
                       {"htp", "gpu", "cpu"},
                       true,
                       {"htp"},
                       OperatorsReport{120, 120, {}},
                       {{}, 1.0, 1.2, {}, {}},
                       0.0,
                       {},
                       {}};
  face.decisions = {{0.0, "htp", "w8a16", "balanced", 0, "first usable"}};
  r.inference = {face};
  DeviceReport device{
      "simulated", "qcs6490", 35, {}, 2.5, std::nullopt, {"sensor 'a': it cannot be read; excluded"}};
  device.temperature_c = {{"npu", 61.5, 70.0}, {"battery", std::nullopt, std::nullopt}};
  r.device = device;
  return r;
}

// Section 5 of the contract, key by key.
TEST(Report, FollowsTheContract) {
  const Json expected = Json::parse(R"({
    "version": 1, "pipeline": "face_detect", "status": "completed", "simulated": false, "wall_s": 12.3,
    "frames": {"produced": 300, "delivered": 297, "dropped": {"stale": 3}},
    "fps": 29.9,
    "latency_ms": {"mean": 9.1, "p50": 8.9, "p95": 11.2, "p99": 13.0, "max": 15.1},
    "after_source_ms": {"mean": 7.0, "p50": 6.9, "p95": 8.1, "p99": 9.9, "max": 12.0},
    "cpu": {"core_ms_per_frame": 7.9},
    "memory": {"peak_rss_mb": 120.5, "rss_mb": 118.0, "pool_mb": 18.0, "allocations_per_frame": 0.0, "allocations_per_frame_total": 41.0, "page_faults_per_frame": 0.5},
    "sources": [{"id": "camera", "produced": 300, "delivered": 297, "dropped": {"stale": 3}, "corrupt": 0, "reconnects": 0, "format_changes": 0}],
    "sinks": [{"id": "out", "due": 300, "delivered": 297, "dropped": {"stale": 3}, "filtered": 0, "fps": 29.9, "latency_ms": {"p50": 8.9, "p95": 11.2}}],
    "nodes": [{"id": "pre", "type": "preprocess", "in": 300, "processed": 300, "filtered": 0, "dropped": {}, "packets_out": 300, "failed_items": 0, "busy_ms": {"p50": 0.3, "p95": 0.4}, "wait_ms": {"p50": 0.0, "p95": 0.1}}],
    "inference": [{"node": "face", "model": "face", "variant": "w8a16", "backend": "htp", "simulated": true, "simulated_backends": ["htp"], "requested": ["htp", "gpu", "cpu"],
                   "operators": {"total": 120, "on_backend": 120, "elsewhere": {}}, "latency_ms": {"p50": 1.0, "p95": 1.2}, "saturated_fraction": 0.0,
                   "decisions": [{"at_s": 0.0, "backend": "htp", "variant": "w8a16", "performance_mode": "balanced", "step": 0, "reason": "first usable"}],
                   "warnings": []}],
    "settings": [],
    "device": {"telemetry": "simulated", "profile": "qcs6490", "ambient_c": 35.0,
               "temperature_c": {"npu": {"mean": 61.5, "max": 70.0}, "battery": null},
               "power_w": 2.5, "energy_j": null, "notices": ["sensor 'a': it cannot be read; excluded"]},
    "warnings": []})");
  const Json actual = json_of(example());
  EXPECT_EQ(actual, expected) << actual.dump(2);
}

TEST(Report, UnknownIsNullNeverZero) {
  RunReport r;
  r.sources.emplace_back();
  r.sinks.emplace_back();
  r.nodes.emplace_back();
  r.inference.emplace_back();
  r.inference[0].decisions.emplace_back();
  const Json j = json_of(r);
  for (const auto* path : {"/fps",
                           "/latency_ms/mean",
                           "/latency_ms/p50",
                           "/latency_ms/p95",
                           "/latency_ms/p99",
                           "/latency_ms/max",
                           "/after_source_ms/p50",
                           "/cpu/core_ms_per_frame",
                           "/memory/peak_rss_mb",
                           "/memory/rss_mb",
                           "/memory/pool_mb",
                           "/memory/allocations_per_frame",
                           "/memory/allocations_per_frame_total",
                           "/memory/page_faults_per_frame",
                           "/sinks/0/fps",
                           "/sinks/0/latency_ms/p50",
                           "/sinks/0/latency_ms/p95",
                           "/nodes/0/busy_ms/p50",
                           "/nodes/0/wait_ms/p95",
                           "/inference/0/operators",
                           "/inference/0/latency_ms/p50",
                           "/inference/0/saturated_fraction",
                           "/inference/0/variant",
                           "/inference/0/backend",
                           "/inference/0/decisions/0/performance_mode",
                           "/inference/0/decisions/0/variant"}) {
    const Json::json_pointer pointer(path);
    ASSERT_TRUE(j.contains(pointer)) << path;
    EXPECT_TRUE(j.at(pointer).is_null()) << path;
  }
  EXPECT_FALSE(j.contains("error"));
  EXPECT_FALSE(j["frames"].contains("in_flight"));
}

TEST(Report, FramesAreTheSumOverTheSources) {
  RunReport r;
  DropCounts a{}, b{};
  a[static_cast<std::size_t>(DropReason::kOverload)] = 1;
  b[static_cast<std::size_t>(DropReason::kOverload)] = 2;
  b[static_cast<std::size_t>(DropReason::kFiltered)] = 4;
  r.sources = {{"a", 10, 9, a, 0, 0, 0, {}}, {"b", 20, 14, b, 0, 0, 0, {}}};
  r.in_flight = 0;
  EXPECT_EQ(
      json_of(r)["frames"],
      Json::parse(
          R"({"produced": 30, "delivered": 23, "dropped": {"overload": 3, "filtered": 4}, "in_flight": 0})"));
}

TEST(Report, Status) {
  RunReport r;
  r.status = RunStatus::kStopped;
  EXPECT_EQ(json_of(r)["status"], "stopped");
  r.status = RunStatus::kFailed;
  r.error = "node 'out': disk full";
  EXPECT_EQ(json_of(r)["status"], "failed");
  EXPECT_EQ(json_of(r)["error"], "node 'out': disk full");
}

TEST(Report, NumbersAreFiniteAndRounded) {
  RunReport r;
  r.fps = std::numeric_limits<double>::infinity();
  r.core_ms_per_frame = std::numeric_limits<double>::quiet_NaN();
  r.wall_s = 1.23456789;
  EXPECT_TRUE(json_of(r)["fps"].is_null());
  EXPECT_TRUE(json_of(r)["cpu"]["core_ms_per_frame"].is_null());
  EXPECT_EQ(json_of(r)["wall_s"], 1.234568);
}

TEST(Report, PasswordsAreMaskedAndTextIsValidUtf8) {
  RunReport r;
  r.error = "rtsp://ann:secret@cam/1 is gone";
  r.warnings = {"\xff rtsp://ann:secret@cam/1"};
  r.settings = {{1.5, "camera", "uri", "http://ann:secret@cam/2"}};
  r.sources = {{"camera", 0, 0, {}, 0, 0, 0, "rtsp://ann:secret@cam/1 timed out"}};
  const std::string text = to_json(r);
  EXPECT_EQ(text.find("secret"), std::string::npos);
  EXPECT_TRUE(Json::accept(text));
  EXPECT_EQ(Json::parse(text)["sources"][0]["error"], "rtsp://ann:***@cam/1 timed out");
}

TEST(Report, FiguresOfAHistogram) {
  EXPECT_FALSE(figures_of(Histogram{}).p50.has_value());
  Histogram h;
  for (int i = 0; i < 100; ++i) h.add(from_ms(10));
  const LatencyFigures figures = figures_of(h);
  EXPECT_NEAR(*figures.mean, 10, 0.01);
  EXPECT_NEAR(*figures.p50, 10, 0.4);
  EXPECT_NEAR(*figures.p99, 10, 0.4);
  EXPECT_NEAR(*figures.max, 10, 0.01);
}

}  // namespace
}  // namespace sluice
