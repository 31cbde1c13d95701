#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/framework/spec/spec_testing.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;

std::string node(std::string_view inputs) {
  return "version: 1\nnodes:\n  - id: a\n    type: t\n    inputs: " + std::string(inputs) + "\n";
}
std::vector<std::string> issues_of(std::string_view inputs) { return testing::issues_of(node(inputs)); }
NodeSpec read(std::string_view inputs) {
  const auto parsed = testing::parse(node(inputs));
  EXPECT_TRUE(parsed.ok()) << inputs;
  return parsed.spec.nodes.at(0);
}
// "port[element]<-from"
std::vector<std::string> edges(const NodeSpec& node) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const std::string& element = node.input_elements.at(i);
    out.push_back(node.inputs[i].port + (element.empty() ? "" : "[" + element + "]") + "<-" +
                  node.inputs[i].from);
  }
  return out;
}

TEST(Inputs, Scalar) {
  const NodeSpec node = read("face.Identity:0");
  EXPECT_THAT(edges(node), ElementsAre("<-face.Identity:0"));
  EXPECT_FALSE(node.inputs_by_port);
  EXPECT_EQ(node.inputs[0].sync, Sync::kExact);
  EXPECT_EQ(node.inputs[0].mark.line, 5);
  EXPECT_EQ(node.inputs[0].mark.column, 13);
}

TEST(Inputs, None) {
  EXPECT_THAT(edges(read("")), ElementsAre());
  EXPECT_THAT(edges(read("[]")), ElementsAre());
}

TEST(Inputs, List) {
  const NodeSpec node = read("[camera, {from: boxes, sync: latest}, b.x]");
  EXPECT_THAT(edges(node), ElementsAre("<-camera", "<-boxes", "<-b.x"));
  EXPECT_FALSE(node.inputs_by_port);
  EXPECT_EQ(node.inputs[1].sync, Sync::kLatest);
}

TEST(Inputs, MapByPort) {
  const NodeSpec node = read("{image: camera, detections: {from: boxes, sync: latest, max_age_ms: 500}}");
  EXPECT_THAT(edges(node), ElementsAre("image<-camera", "detections<-boxes"));
  EXPECT_TRUE(node.inputs_by_port);
  EXPECT_EQ(node.inputs[1].max_age_ms, 500);
  EXPECT_EQ(node.inputs[1].mark.column, 48);
}

TEST(Inputs, ASetAsAMapOfTheModelsOutputs) {
  const NodeSpec node =
      read("{tensors: {'Identity:0': face.a, scores: {from: face.b, capacity: 2}}, image: cam}");
  EXPECT_THAT(edges(node),
              ElementsAre("tensors[Identity:0]<-face.a", "tensors[scores]<-face.b", "image<-cam"));
  EXPECT_EQ(node.inputs[1].capacity, 2);
}

TEST(Inputs, LongFormOfASingleInput) {
  const NodeSpec node = read("{from: boxes, capacity: 3, when_full: drop_newest}");
  EXPECT_THAT(edges(node), ElementsAre("<-boxes"));
  EXPECT_EQ(node.inputs[0].capacity, 3);
  EXPECT_EQ(node.inputs[0].when_full, WhenFull::kDropNewest);
  EXPECT_EQ(node.inputs[0].capacity_mark.column, 37);
  EXPECT_EQ(node.inputs[0].when_full_mark.column, 51);
  EXPECT_FALSE(node.inputs_by_port);
}

TEST(Inputs, FromAloneIsTheLongForm) {
  const NodeSpec node = read("{from: boxes}");
  EXPECT_THAT(edges(node), ElementsAre("<-boxes"));
  EXPECT_FALSE(node.inputs_by_port);
}

TEST(Inputs, APortMayBeNamedFromBesideOthers) {
  const NodeSpec node = read("{from: boxes, other: faces}");
  EXPECT_THAT(edges(node), ElementsAre("from<-boxes", "other<-faces"));
  EXPECT_TRUE(node.inputs_by_port);
}

TEST(Inputs, AMisspeltKeyOfTheSingleLongForm) {
  EXPECT_THAT(issues_of("{from: camera, sync: latest, max_age: 500}"),
              ElementsAre("5:42: node 'a': unknown key 'max_age', allowed: from, sync, max_age_ms, capacity, "
                          "when_full"));
  EXPECT_THAT(issues_of("{from: camera, max_age: 500}"),
              ElementsAre(::testing::HasSubstr("unknown key 'max_age'")));
}

TEST(Inputs, WhenFull) {
  EXPECT_EQ(read("[{from: b}]").inputs[0].when_full, WhenFull::kDefault);
  EXPECT_EQ(read("[{from: b, when_full: block}]").inputs[0].when_full, WhenFull::kBlock);
  EXPECT_EQ(read("[{from: b, when_full: drop_oldest}]").inputs[0].when_full, WhenFull::kDropOldest);
}

TEST(Inputs, WrongSources) {
  EXPECT_THAT(issues_of("3"),
              ElementsAre("5:13: node 'a': an input is 3, must be 'node', 'node.port' or a map with 'from'"));
  EXPECT_THAT(
      issues_of("[b, '']"),
      ElementsAre(
          "5:17: node 'a': an input is an empty text, must be 'node', 'node.port' or a map with 'from'"));
  EXPECT_THAT(
      issues_of("{image: [b]}"),
      ElementsAre(
          "5:21: node 'a': input 'image' is a list, must be 'node', 'node.port' or a map with 'from'"));
  EXPECT_THAT(
      issues_of("{image: }"),
      ElementsAre(
          "5:14: node 'a': input 'image' is empty, must be 'node', 'node.port' or a map with 'from'"));
  EXPECT_THAT(issues_of("{image: {}}"), ElementsAre("5:21: node 'a': input 'image' is an empty map"));
  EXPECT_THAT(
      issues_of("[{scores: face.a}]"),
      ElementsAre(
          "5:14: node 'a': an input in a list needs 'from'; a set given by output names needs its port: "
          "inputs: {PORT: {...}}"));
}

TEST(Inputs, LongFormKeys) {
  EXPECT_THAT(
      issues_of("{image: {form: b, sync: latest}}"),
      ElementsAre(
          "5:21: node 'a': input 'image': key 'from' is missing; write the node or node.port that feeds it",
          "5:22: node 'a': input 'image': unknown key 'form', allowed: from, sync, max_age_ms, capacity, "
          "when_full; did you mean 'from'?"));
  EXPECT_THAT(
      issues_of("[{from: b, sync: lates, max_age_ms: 3}]"),
      ElementsAre("5:30: node 'a': 'sync' is 'lates', allowed: exact, latest; did you mean 'latest'?"));
  EXPECT_THAT(issues_of("[{from: b, sync: latest, max_age_ms: -3}]"),
              ElementsAre("5:50: node 'a': 'max_age_ms' is -3, must be a number of milliseconds from 0 up"));
  EXPECT_THAT(issues_of("[{from: b, capacity: 0, when_full: drop}]"),
              ElementsAre("5:34: node 'a': 'capacity' is 0, must be a whole number from 1 to 1024",
                          "5:48: node 'a': 'when_full' is 'drop', allowed: block, drop_oldest, drop_newest"));
}

TEST(Inputs, AgesBelongToMailboxesAndCapacitiesToEdges) {
  EXPECT_THAT(issues_of("[{from: b, max_age_ms: 3}]"),
              ElementsAre("5:36: node 'a': 'max_age_ms' needs 'sync: latest'"));
  EXPECT_THAT(issues_of("[{from: b, sync: latest, capacity: 3, when_full: block}]"),
              ElementsAre("5:48: node 'a': 'capacity' needs 'sync: exact'",
                          "5:62: node 'a': 'when_full' needs 'sync: exact'"));
}

}  // namespace
}  // namespace sluice
