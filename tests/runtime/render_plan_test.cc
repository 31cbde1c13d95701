#include "runtime/render_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "runtime/plan_layout.h"
#include "tests/runtime/registry_fixture.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

NodePlan node(const char* id, NodeDeclaration declaration) {
  NodePlan n;
  n.id = id;
  n.declaration = std::make_shared<const NodeDeclaration>(std::move(declaration));
  n.thread = n.declaration->thread;
  n.stop_on_error = n.declaration->sink;
  n.source = 0;
  return n;
}

PortType picture() {
  PortType type;
  type.kind = PortKind::kFrame;
  type.name = "frame";
  type.image.format = PixelFormat::kNv12;
  type.image.width = 1280;
  type.image.height = 720;
  return type;
}

// camera -> change (inserted) -> out, and camera -latest-> change.
Plan example() {
  Plan plan;
  plan.name = "a \"b\" <c>";
  plan.deadline = from_ms(100);
  plan.nodes = {node("camera", testing::camera_declaration()), node("change", testing::filter_declaration()),
                node("out", testing::sink_declaration())};
  plan.nodes[0].outputs = {{"frame", 1, 1'382'400, 5, false}};
  plan.nodes[0].routes = {{"", {}, {picture()}}};
  plan.nodes[0].options =
      std::make_shared<const Options>(OptionMap{{"uri", {std::string("rtsp://ann:secret@cam/1")}}});
  plan.nodes[1].outputs = {{"frame", 4, 0, 0, true, 0}};
  plan.nodes[1].routes = {{"", {}, {picture()}}, {"small", {}, {PortType{}}}};
  plan.nodes[1].inserted = "sizes differ";
  plan.nodes[1].folded = {"quantize uint8"};
  plan.nodes[1].concurrency = 2;
  plan.edges.resize(3);
  plan.edges[0] = {0, 0, 1, 0, 0, "", false, 0, 1, WhenFull::kDropOldest};
  plan.edges[1] = {0, 0, 1, 1, 0, "old", true, from_ms(500), 0, WhenFull::kBlock};
  plan.edges[2] = {1, 0, 2, 0, 0, "", false, 0, 0, WhenFull::kBlock};
  plan.nodes[1].inputs = {{0}, {1}};
  plan.nodes[2].inputs = {{2}};
  plan.units.resize(2);
  plan.units[0].nodes = {0};
  plan.units[1].nodes = {1, 2};
  plan.sources.resize(1);
  plan.sources[0] = {0, 3, 4, "realtime", true};
  ModelPlan model;
  model.name = "face";
  model.path = "/m/face.onnx";
  model.variants = {{"small", "/m/small.onnx", "", 0, false}};
  plan.models = {model};
  plan.adjustments = {"max_in_flight is 3"};
  plan.planned_bytes = 6'912'000;
  return plan;
}

TEST(RenderPlan, Text) {
  EXPECT_EQ(render_plan_text(example()),
            "pipeline a \"b\" <c>: realtime, deadline 100 ms\n"
            "sources\n"
            "  camera: live, pace realtime, 3 frames in flight, 4 frame records\n"
            "nodes\n"
            "  camera: camera, own thread\n"
            "    out frame: frame nv12 1280x720, 5 buffers of 1.3 MiB\n"
            "  change: filter, worker thread, 2 frames at once (inserted: sizes differ)\n"
            "    in  image <- camera.frame (exact, capacity 1, drop_oldest)\n"
            "    in  extra[old] <- camera.frame (latest, up to 500 ms old)\n"
            "    out frame: frame nv12 1280x720 | any, up to 4 per frame, edits a copy\n"
            "    routes (own path) small\n"
            "    folded in: quantize uint8\n"
            "  out: out, worker thread, stops the run on an error\n"
            "    in  in <- change.frame (exact)\n"
            "chains\n"
            "  one task: change out\n"
            "models\n"
            "  face: /m/face.onnx\n"
            "    variant small: /m/small.onnx\n"
            "decided by the plan\n"
            "  max_in_flight is 3\n"
            "memory: at most 6.6 MiB in pools whose size is known before the sources are opened\n");
}

TEST(RenderPlan, SaysWhetherAPictureIsEditedInPlace) {
  Plan plan = example();
  plan.nodes[1].outputs[0].pooled_copy_for_edit = false;
  EXPECT_THAT(render_plan_text(plan), HasSubstr("up to 4 per frame, edits in place\n"));
  const auto json = nlohmann::ordered_json::parse(render_plan_json(plan));
  EXPECT_EQ(json["nodes"][1]["outputs"][0]["edits_in_place"], true);
  EXPECT_EQ(json["nodes"][0]["outputs"][0]["edits_in_place"], false);
}

TEST(RenderPlan, Json) {
  const auto json = nlohmann::ordered_json::parse(render_plan_json(example()));
  EXPECT_EQ(json["mode"], "realtime");
  EXPECT_EQ(json["nodes"][0]["options"]["uri"], "rtsp://ann:***@cam/1");
  EXPECT_EQ(json["nodes"][1]["inputs"][1],
            nlohmann::ordered_json::parse(
                R"({"port": "extra[old]", "from": "camera.frame", "sync": "latest", "max_age_ms": 500.0})"));
  EXPECT_EQ(json["nodes"][1]["routes"][1]["variant"], "small");
  EXPECT_TRUE(json["nodes"][1]["outputs"][0]["buffer_bytes"].is_null());
  EXPECT_EQ(json["nodes"][2]["on_error"], "stop");
  EXPECT_EQ(json["tasks"][1], nlohmann::ordered_json::parse(R"(["change", "out"])"));
  EXPECT_TRUE(json["models"][0]["variants"][0]["snr_db"].is_null());
  EXPECT_EQ(json["planned_bytes"], 6'912'000);
}

TEST(RenderPlan, Dot) {
  const std::string dot = render_plan_dot(example());
  EXPECT_THAT(dot, HasSubstr("digraph \"a \\\"b\\\" <c>\" {\n"));
  EXPECT_THAT(dot, HasSubstr("  \"change\" [label=\"change\\nfilter\", style=dashed];\n"));
  EXPECT_THAT(dot, HasSubstr("  \"camera\" -> \"change\" [label=\"frame nv12 1280x720\", style=dashed];\n"));
}

TEST(RenderPlan, Svg) {
  const std::string svg = render_plan_svg(example());
  EXPECT_THAT(svg, ::testing::StartsWith("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  EXPECT_THAT(svg, HasSubstr("stroke-dasharray=\"5 4\"><title>camera.frame -&gt; extra[old]: frame nv12 "
                             "1280x720 (latest, up to"));
  EXPECT_THAT(svg, ::testing::EndsWith("</svg>\n"));
}

TEST(RenderPlan, Formats) {
  EXPECT_EQ(parse_plan_format("svg"), PlanFormat::kSvg);
  EXPECT_FALSE(parse_plan_format("png"));
  EXPECT_EQ(render_plan(example(), PlanFormat::kDot), render_plan_dot(example()));
}

TEST(PlanLayout, LayersGoFromLeftToRightAndBoxesDoNotOverlap) {
  const PlanLayout layout = lay_out_plan(example());
  EXPECT_LT(layout.boxes[0].x + layout.boxes[0].width, layout.boxes[1].x);
  EXPECT_LT(layout.boxes[1].x + layout.boxes[1].width, layout.boxes[2].x);
  EXPECT_LE(layout.boxes[2].x + layout.boxes[2].width, layout.width);
}

TEST(PlanLayout, ALatestEdgeMayCloseACircle) {
  Plan plan = example();
  plan.edges[1] = {2, 0, 1, 1, 0, "", true, 0, 0, WhenFull::kBlock};
  const PlanLayout layout = lay_out_plan(plan);
  EXPECT_LT(layout.boxes[1].x, layout.boxes[2].x);
}

}  // namespace
}  // namespace sluice
