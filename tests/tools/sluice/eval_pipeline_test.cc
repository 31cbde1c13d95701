#include "tools/sluice/eval_pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/builtin.h"

namespace sluice::cli {
namespace {

constexpr const char* kFile = R"(version: 1
models: {face: {path: face.onnx}}
nodes:
  - {id: camera, type: video_source, options: {uri: a.mp4}}
  - {id: pre, type: preprocess, inputs: camera, options: {model: face}}
  - {id: face, type: infer, inputs: {any: {from: pre, capacity: 2, when_full: drop_oldest}}, options: {model: face}}
  - {id: boxes, type: detect, inputs: face, options: {decoder: blazeface}}
  - {id: overlay, type: draw, inputs: {image: camera, detections: boxes}}
  - {id: preview, type: video_sink, inputs: overlay, options: {path: out.mp4}}
  - {id: out, type: json_sink, inputs: boxes}
flow: {mode: realtime, deadline_ms: 100}
)";

std::vector<std::string> ids(const GraphSpec& spec) {
  std::vector<std::string> out;
  out.reserve(spec.nodes.size());
  for (const NodeSpec& node : spec.nodes) out.push_back(node.id + ":" + node.type);
  return out;
}

Result<GraphSpec> made(std::string_view text, bool classes = false) {
  return make_eval_pipeline(parse_spec_text(text).spec, builtin_registry(), classes, "/pictures");
}

TEST(EvalPipeline, KeepsWhatLeadsToTheDetections) {
  const auto spec = made(kFile);
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  EXPECT_THAT(ids(*spec), ::testing::ElementsAre("camera:image_source", "pre:preprocess", "face:infer",
                                                 "boxes:detect", "eval_sink:app_sink"));
  EXPECT_EQ(*spec->nodes[0].options.find("path")->text(), "/pictures");
  EXPECT_EQ(spec->nodes.back().inputs[0].from, "boxes");
  EXPECT_EQ(spec->models.size(), 1u);
}

TEST(EvalPipeline, LosesNoFrame) {
  const auto spec = made(kFile);
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->flow.mode, "lossless");
  EXPECT_EQ(spec->flow.deadline_ms, 0);
  EXPECT_EQ(spec->nodes[2].inputs[0].when_full, WhenFull::kDefault);
}

TEST(EvalPipeline, SetReachesWhatRuns) {
  const auto spec = made(kFile);
  ASSERT_TRUE(spec.ok());
  const GraphSpec whole = parse_spec_text(kFile).spec;
  std::vector<std::string> notes;
  const auto set =
      settings_for_eval({{"pre.mean", "1"}, {"out.overwrite", "true"}, {"none.x", "1"}}, whole, *spec, notes);
  ASSERT_TRUE(set.ok());
  EXPECT_THAT(*set, ::testing::ElementsAre(::testing::Pair("pre.mean", "1"), ::testing::Pair("none.x", "1")));
  EXPECT_THAT(notes, ::testing::ElementsAre(
                         "warning: --set out.overwrite: eval does not run node 'out', so it has no effect"));
  const auto source = settings_for_eval({{"camera.path", "other"}}, whole, *spec, notes);
  EXPECT_EQ(source.status().code(), Code::kInvalid);
  EXPECT_EQ(
      source.status().message(),
      "--set camera.path: in eval the labelled pictures take the place of the source 'camera'; leave it out");
}

TEST(EvalPipeline, NeedsOneMakerAndOneSource) {
  EXPECT_EQ(made(kFile, true).status().message(),
            "eval needs exactly one node that makes classes, this has: none");
  EXPECT_EQ(made("version: 1\nnodes: [{id: a, type: detect, inputs: x}, {id: b, type: detect, inputs: x}]")
                .status()
                .message(),
            "eval needs exactly one node that makes detections, this has: a, b");
  EXPECT_EQ(made("version: 1\nnodes: [{id: a, type: detect, inputs: x}]").status().message(),
            "eval needs exactly one source before 'a', this has: none");
}

}  // namespace
}  // namespace sluice::cli
