// Names, ports, cycles, kinds, sources and unused nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/framework/plan/plan_testing.h"

namespace sluice::testing {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kModel =
    "models: {face: {path: float.onnx}, two: {path: two.onnx}}\nnodes:\n- {id: cam, type: source}\n"
    "- {id: pre, type: pre, inputs: cam, options: {model: face}}\n"
    "- {id: face, type: infer, inputs: pre, options: {model: face}}\n";  // lines 2..6

TEST(Graph, NamesACycleByItsPath) {
  EXPECT_THAT(issues_of("nodes:\n- {id: cam, type: source}\n- {id: a, type: join, inputs: [cam, c]}\n- {id: "
                        "b, type: pass, inputs: a}\n"
                        "- {id: c, type: pass, inputs: b}\n- {id: out, type: void, inputs: c}\n"),
              ElementsAre("4:37: cycle: a -> b -> c -> a; a node cannot wait for what it leads to"));
}

TEST(Graph, ACycleThroughLatestIsOneToo) {
  EXPECT_THAT(
      issues_of(
          "nodes:\n- {id: cam, type: source}\n- {id: a, type: join, inputs: [cam, {from: b, sync: latest}]}\n"
          "- {id: b, type: pass, inputs: a}\n- {id: out, type: void, inputs: b}\n- {id: me, type: join, "
          "inputs: [cam, me]}\n"
          "- {id: out2, type: void, inputs: me}\n"),
      ElementsAre(HasSubstr("cycle: a -> b -> a;"), HasSubstr("cycle: me -> me;")));
}

// YAML folds the lines of a plain scalar: an id may have line breaks, of which no message is made.
TEST(Graph, AnIdOfSeveralLinesMakesNoneOfTheMessagesLonger) {
  const ParsedSpec parsed = parse_spec_text(
      "version: 1\nnodes:\n- {id: cam, type: source}\n- {id: a\n\n\nb, type: none, inputs: [cam, c]}\n"
      "- {id: c\n\nd, type: pass, inputs: [cam.no], options: {no: 1}}\n",
      "p.yaml", "dir");
  std::vector<std::string> messages;
  for (const Issue& issue : make_plan(parsed.spec, plan_inputs()).issues) messages.push_back(issue.message);
  EXPECT_GE(messages.size(), 4u);
  EXPECT_THAT(messages, Each(Not(HasSubstr("\n"))));
  EXPECT_THAT(messages, Contains(HasSubstr("node 'a\\x0a\\x0ab': unknown type 'none'")));
}

TEST(Graph, UnknownPortsAreSuggested) {
  EXPECT_THAT(issues_of("nodes:\n- {id: cam, type: source}\n- {id: d, type: draw, inputs: {imgae: cam}}\n- "
                        "{id: out, type: void, inputs: d.fram}\n"),
              ElementsAre("4:39: node 'd': type 'draw' has no input 'imgae', allowed: image, detections; did "
                          "you mean 'image'?",
                          "5:33: node 'out': input 'd.fram': 'd' has no output 'fram', allowed: frame; did "
                          "you mean 'frame'?"));
}

TEST(Graph, CountsPositionalInputs) {
  EXPECT_THAT(
      issues_of("nodes:\n- {id: cam, type: source}\n- {id: d, type: draw, inputs: [cam, cam, cam]}\n- {id: "
                "out, type: void, inputs: d}\n"),
      ElementsAre("4:37: node 'd': input 'detections' takes detections, but 'cam' is a frame",
                  "4:42: node 'd': input 3 of 3, but type 'draw' takes at most 2: image, detections"));
}

TEST(Graph, MissingInputsAndInputsOfSources) {
  EXPECT_THAT(issues_of("nodes:\n- {id: cam, type: source}\n- {id: d, type: draw}\n- {id: s, type: source, "
                        "inputs: cam}\n- {id: out, type: void, inputs: d}\n"
                        "- {id: out2, type: void, inputs: s}\n- {id: o, type: sink}\n"),
              ElementsAre("4:8: node 'd': input 'image' (a frame) is missing",
                          "5:33: node 's': a 'source' is a source and takes no inputs",
                          "8:8: node 'o': input 'in' (anything) is missing"));
}

TEST(Graph, KindsMustFitAlsoBehindAny) {
  EXPECT_THAT(issues_of(std::string(kModel) + "- {id: p, type: pass, inputs: face}\n- {id: d, type: draw, "
                                              "inputs: p}\n- {id: out, type: void, inputs: d}\n"),
              ElementsAre("8:31: node 'd': input 'image' takes a frame, but 'p' is a tensor"));
}

TEST(Graph, EveryNodeNeedsAnExactInput) {
  EXPECT_THAT(issues_of("nodes:\n- {id: cam, type: source}\n- {id: p, type: pass, inputs: {from: cam, sync: "
                        "latest}}\n- {id: out, type: void, inputs: p}\n"),
              ElementsAre("4:8: node 'p': all its inputs are 'sync: latest', so nothing would ever start it; "
                          "one must be exact"));
}

TEST(Graph, ExactInputsDescendFromOneSource) {
  const std::string two =
      "nodes:\n- {id: left, type: source}\n- {id: right, type: source}\n- {id: p, type: pass, inputs: "
      "left}\n";
  EXPECT_THAT(
      issues_of(two + "- {id: j, type: join, inputs: [p, right]}\n- {id: out, type: void, inputs: j}\n"),
      ElementsAre("6:35: node 'j': its exact inputs come from two sources, 'left' (through 'p') and 'right' "
                  "(through 'right'), "
                  "whose frames have nothing in common; make one 'sync: latest'"));
  EXPECT_THAT(issues_of(two + "- {id: j, type: join, inputs: [p, {from: right, sync: latest}]}\n- {id: out, "
                              "type: void, inputs: j}\n"),
              IsEmpty());
}

TEST(Graph, ANodeThatNobodyUsesIsAnError) {
  EXPECT_THAT(
      issues_of("nodes:\n- {id: cam, type: source}\n- {id: p, type: pass, inputs: cam}\n- {id: out, type: "
                "void, inputs: cam}\n- {id: v, type: view, inputs: cam}\n"),
      ElementsAre(
          "4:8: node 'p': nobody uses its outputs, and a 'pass' is no sink; connect it or remove it"));
}

TEST(Graph, SinksHaveNoOutputs) {
  EXPECT_THAT(issues_of("nodes:\n- {id: cam, type: source}\n- {id: out, type: void, inputs: cam}\n- {id: "
                        "out2, type: void, inputs: out}\n"),
              ElementsAre("5:34: node 'out2': input 'out': 'out' has no outputs"));
}

TEST(Graph, TwoSinksOnOnePath) {
  EXPECT_THAT(
      issues_of(
          "nodes:\n- {id: cam, type: source}\n- {id: a, type: sink, inputs: cam, options: {path: out.json}}\n"
          "- {id: b, type: sink, inputs: cam, options: {path: ./x/../out.json}}\n"),
      ElementsAre("5:52: node 'b': option 'path' is 'dir/out.json', but 'a' writes there too; two sinks on "
                  "one path would mix their output"));
}

TEST(Graph, TwoSinksWhosePatternsGiveOneName) {
  const std::string sources = "nodes:\n- {id: cam, type: source}\n- {id: door, type: source}\n";
  EXPECT_THAT(
      issues_of(sources + "- {id: a, type: sink, inputs: cam, options: {path: 'shots/'}}\n"
                          "- {id: b, type: sink, inputs: door, options: {path: 'shots/cam_{frame}.jpg'}}\n"),
      ElementsAre("6:53: node 'b': option 'path' is 'dir/shots/cam_{frame}.jpg', but 'a' ('dir/shots/') can "
                  "give the same file name; one would replace or refuse the other's file"));
  EXPECT_THAT(
      issues_of(sources +
                "- {id: a, type: sink, inputs: cam, options: {path: 'shots/'}}\n"
                "- {id: b, type: sink, inputs: door, options: {path: 'shots/{source}_{frame}.jpg'}}\n"),
      IsEmpty());
}

TEST(Graph, OutputsOfAModelAreMatchedByName) {
  const std::string text = kModel;
  EXPECT_THAT(issues_of(text + "- {id: out, type: void, inputs: face.c}\n"),
              ElementsAre("7:33: node 'out': input 'face.c': 'face' has no output 'c', allowed: a, b"));
  const PlanResult result = plan_of(text + "- {id: out, type: void, inputs: face.b}\n");
  EXPECT_EQ(edge(result, "face", "out").from_output, 1);
  EXPECT_EQ(node(result, "face").outputs[1].name, "b");
}

TEST(Graph, ASetTakesAllOutputsOrAMapByName) {
  const std::string text = kModel;
  const PlanResult all =
      plan_of(text + "- {id: boxes, type: detect, inputs: face}\n- {id: out, type: void, inputs: boxes}\n");
  EXPECT_EQ(node(all, "boxes").inputs[0].size(), 2U);
  const PlanResult map = plan_of(text +
                                 "- {id: boxes, type: detect, inputs: {tensors: {scores: face.b}}}\n- {id: "
                                 "out, type: void, inputs: boxes}\n");
  ASSERT_EQ(node(map, "boxes").inputs[0].size(), 1U);
  EXPECT_EQ(edge(map, "face", "boxes").element, "scores");
  EXPECT_EQ(edge(map, "face", "boxes").from_output, 1);
  EXPECT_THAT(issues_of("nodes:\n- {id: cam, type: source}\n- {id: d, type: draw, inputs: {image: {a: cam, "
                        "b: cam}}}\n- {id: out, type: void, inputs: d}\n"),
              ElementsAre(HasSubstr("input 'image' takes one value, not a map of several"),
                          HasSubstr("input 'image' takes one value")));
}

TEST(Graph, AModelsInputsAreFedByNameOrPosition) {
  const std::string text = kModel;
  const auto two = [&](const std::string& inputs) {
    return issues_of(text + "- {id: t, type: infer, inputs: " + inputs +
                     ", options: {model: two}}\n- {id: out, type: void, inputs: [t]}\n"
                     "- {id: out2, type: void, inputs: face}\n");
  };
  EXPECT_THAT(two("{x: pre, y: pre}"), IsEmpty());
  EXPECT_THAT(two("[pre, pre]"), IsEmpty());
  EXPECT_THAT(two("{x: pre}"), ElementsAre("7:8: node 't': input 'y' of model 'two' is missing"));
  EXPECT_THAT(two("{x: pre, z: pre}"),
              ElementsAre("7:44: node 't': model 'two' has no input 'z', allowed: x, y"));
  EXPECT_THAT(two("[pre, pre, pre]"),
              ElementsAre("7:43: node 't': more inputs than model 'two' has, which are: x, y"));
}

TEST(Graph, SinksMergeInputsUnderTheNamesOfTheMap) {
  const PlanResult result =
      plan_of(std::string(kModel) + "- {id: out, type: sink, inputs: {scores: face.a, boxes: face.b}}\n");
  ASSERT_EQ(node(result, "out").inputs[0].size(), 2U);
  EXPECT_EQ(result.plan->edges[static_cast<std::size_t>(node(result, "out").inputs[0][1])].element, "boxes");
}

}  // namespace
}  // namespace sluice::testing
