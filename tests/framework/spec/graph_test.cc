#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "framework/spec/bytes.h"
#include "tests/framework/spec/spec_testing.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using testing::issues_of;
using testing::parse;
using testing::with_node;

std::string node(std::string_view keys) { return "version: 1\nnodes:\n  - {" + std::string(keys) + "}\n"; }

TEST(Graph, ReadsAWholeFile) {
  const auto parsed = parse(R"(
version: 1
name: face_detect
nodes:
  - id: camera
    type: video_source
    options: {uri: ../data/webcam.mp4}
    on_error: stop
  - {id: out, type: json_sink, inputs: camera}
flow: {mode: realtime, max_in_flight: 4, deadline_ms: 100}
selector: {policy: fixed}
backends: {cpu: {threads: 2}}
device: {telemetry: auto}
)");
  ASSERT_TRUE(parsed.ok());
  const GraphSpec& spec = parsed.spec;
  EXPECT_EQ(spec.file, "p.yaml");
  EXPECT_EQ(spec.directory, "dir");
  EXPECT_EQ(spec.name, "face_detect");
  ASSERT_EQ(spec.nodes.size(), 2u);
  EXPECT_EQ(spec.nodes[0].id, "camera");
  EXPECT_EQ(spec.nodes[0].type, "video_source");
  EXPECT_EQ(spec.nodes[0].mark.line, 5);
  EXPECT_EQ(spec.nodes[0].mark.column, 9);
  EXPECT_EQ(spec.nodes[0].type_mark.line, 6);
  EXPECT_EQ(spec.nodes[0].on_error, "stop");
  EXPECT_EQ(*spec.nodes[0].options.find("uri")->text(), "../data/webcam.mp4");
  EXPECT_TRUE(spec.nodes[1].options.is_null());
  EXPECT_FALSE(spec.nodes[1].on_error);
  EXPECT_EQ(spec.flow.mode, "realtime");
  EXPECT_EQ(spec.flow.max_in_flight, 4);
  EXPECT_EQ(spec.flow.deadline_ms, 100);
  EXPECT_EQ(spec.flow.deadline_mark.line, 10);
  EXPECT_NE(spec.selector.find("policy"), nullptr);
  EXPECT_NE(spec.backends.find("cpu"), nullptr);
  EXPECT_NE(spec.device.find("telemetry"), nullptr);
}

TEST(Graph, Defaults) {
  const GraphSpec spec = parse(with_node("models:\nflow:\nselector:\nbackends:\ndevice:\n")).spec;
  EXPECT_EQ(spec.name, "p");  // the file without its extension
  EXPECT_FALSE(spec.flow.mode);
  EXPECT_FALSE(spec.flow.max_in_flight);
  EXPECT_EQ(spec.flow.deadline_ms, 0);
  EXPECT_TRUE(spec.selector.is_null() && spec.backends.is_null() && spec.device.is_null());
  EXPECT_EQ(parse_spec_text(with_node("")).spec.name, "pipeline");
  EXPECT_FALSE(parse(with_node("flow: {max_in_flight: auto}")).spec.flow.max_in_flight);
}

TEST(Graph, TopLevel) {
  EXPECT_THAT(issues_of("[1]"),
              ElementsAre("1:1: a pipeline file is a map with 'version' and 'nodes', this is a list"));
  EXPECT_THAT(
      issues_of("hello"),
      ElementsAre("1:1: a pipeline file is a map with 'version' and 'nodes', this is the text 'hello'"));
  EXPECT_THAT(issues_of("version: 2\nnodes: [{id: a, type: t}]"),
              ElementsAre("1:10: 'version' is 2, allowed: 1"));
  EXPECT_THAT(issues_of("version: '1'\nnodes: [{id: a, type: t}]"),
              ElementsAre("1:10: 'version' is the text '1', allowed: 1"));
  EXPECT_THAT(issues_of("version: 1.0\nnodes: [{id: a, type: t}]"),
              ElementsAre("1:10: 'version' is 1.0, allowed: 1"));
  EXPECT_THAT(issues_of("version: 1"), ElementsAre("1:1: key 'nodes' is missing; write the list of nodes"));
  EXPECT_THAT(issues_of("version: 1\nnodes: []"),
              ElementsAre("2:8: 'nodes' is an empty list, must be a list with at least one node"));
  EXPECT_THAT(issues_of("version: 1\nnodes:"),
              ElementsAre("2:1: 'nodes' is empty, must be a list with at least one node"));
  EXPECT_THAT(issues_of(with_node("name: 3")),
              ElementsAre("3:7: 'name' is 3, must be a text; put it in quotes"));
  EXPECT_THAT(issues_of(with_node("name: ''")),
              ElementsAre("3:7: 'name' is an empty text, must be a text that is not empty"));
  EXPECT_THAT(issues_of(with_node("selector: 3\nbackends: [cpu]\ndevice: auto\nmodels: x\nflow: 1")),
              ElementsAre("3:11: 'selector' is 3, must be a map", "4:11: 'backends' is a list, must be a map",
                          "5:9: 'device' is the text 'auto', must be a map",
                          "6:9: 'models' is the text 'x', must be a map", "7:7: 'flow' is 1, must be a map"));
}

TEST(Graph, Flow) {
  EXPECT_THAT(
      issues_of(with_node("flow: {mod: realtime, max_in_flight: 0, deadline_ms: -1}")),
      ElementsAre(
          "3:8: flow: unknown key 'mod', allowed: mode, max_in_flight, deadline_ms; did you mean 'mode'?",
          "3:38: flow: 'max_in_flight' is 0, must be 'auto' or a whole number from 1 to 1024",
          "3:54: flow: 'deadline_ms' is -1, must be a number of milliseconds from 0 up"));
  EXPECT_THAT(
      issues_of(with_node("flow: {mode: realtme, max_in_flight: 2.5, deadline_ms: soon}")),
      ElementsAre(
          "3:14: flow: 'mode' is 'realtme', allowed: realtime, lossless; did you mean 'realtime'?",
          "3:38: flow: 'max_in_flight' is 2.5, must be 'auto' or a whole number from 1 to 1024",
          "3:56: flow: 'deadline_ms' is the text 'soon', must be a number of milliseconds from 0 up"));
}

TEST(Graph, NodeKeys) {
  EXPECT_THAT(
      issues_of(node("id: a, typ: t, input: b")),
      ElementsAre(
          "3:5: node 'a': key 'type' is missing; `sluice nodes` lists the types",
          "3:13: node 'a': unknown key 'typ', allowed: id, type, inputs, options, on_error; did you mean "
          "'type'?",
          "3:21: node 'a': unknown key 'input', allowed: id, type, inputs, options, on_error; did you mean "
          "'inputs'?"));
  EXPECT_THAT(issues_of(node("type: t")),
              ElementsAre("3:5: node 1: key 'id' is missing; every node needs one"));
  EXPECT_THAT(issues_of(node("id: a, type: 3")),
              ElementsAre("3:19: node 'a': 'type' is 3, must be a text; put it in quotes"));
  EXPECT_THAT(issues_of(node("id: a, type: t, options: [1]")),
              ElementsAre("3:31: node 'a': 'options' is a list, must be a map"));
  EXPECT_THAT(issues_of(node("id: a, type: t, on_error: ignore")),
              ElementsAre("3:32: node 'a': 'on_error' is 'ignore', allowed: drop, stop"));
  EXPECT_THAT(issues_of("version: 1\nnodes: [camera, {id: b, type: t}]"),
              ElementsAre("2:9: node 1 is the text 'camera', must be a map with 'id' and 'type'"));
}

TEST(Graph, Ids) {
  const std::string rule = ", allowed is [a-z][a-z0-9_-]*, but not on, off, yes, no, y, n, true, false, null";
  for (const auto* id : {"on", "off", "yes", "no", "y", "n", "Camera", "1a", "a.b", "a b", "-a", "_a", "ä",
                         "'true'", "'null'"}) {
    std::string shown = id;
    if (shown.front() != '\'') shown = "'" + shown + "'";
    EXPECT_THAT(issues_of(node("id: " + std::string(id) + ", type: t")),
                ElementsAre("3:10: node 1: 'id' is " + shown + rule))
        << id;
  }
  EXPECT_THAT(issues_of(node("id: true, type: t")), ElementsAre("3:10: node 1: 'id' is true" + rule));
  EXPECT_THAT(issues_of(node("id: null, type: t")), ElementsAre("3:6: node 1: 'id' is empty" + rule));
  EXPECT_THAT(issues_of(node("id: 12, type: t")), ElementsAre("3:10: node 1: 'id' is 12" + rule));
  for (const auto* id : {"a", "ab-c_9", "onn", "z0"})
    EXPECT_TRUE(parse(node("id: " + std::string(id) + ", type: t")).ok()) << id;
}

TEST(Graph, DuplicateIds) {
  EXPECT_THAT(issues_of("version: 1\nnodes: [{id: a, type: t}, {id: b, type: t}, {id: a, type: t}]"),
              ElementsAre("2:50: node id 'a' is used twice, first at 2:14"));
}

TEST(Graph, FormatsIssues) {
  EXPECT_EQ(format("p.yaml", {{3, 5}, "m"}), "p.yaml:3:5: error: m");
  Issue warning{{1, 1}, "m"};
  warning.warning = true;
  EXPECT_EQ(format("p.yaml", warning), "p.yaml:1:1: warning: m");
  EXPECT_EQ(format("p.yaml", {{}, "m"}), "p.yaml: error: m");
}

TEST(Graph, WarningsAreNoErrors) {
  ParsedSpec parsed;
  parsed.issues.push_back({{}, "m", Code::kInvalid, true});
  EXPECT_TRUE(parsed.ok());
  parsed.issues.push_back({{}, "m"});
  EXPECT_FALSE(parsed.ok());
}

class Files : public ::testing::Test {
 protected:
  Files()
      : folder_(std::filesystem::path(::testing::TempDir()) / ("spec_files_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~Files() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }
  std::string only_issue(const std::string& path) {
    const auto parsed = parse_spec_file(path);
    return parsed.issues.size() == 1 ? format("F", parsed.issues[0])
                                     : std::to_string(parsed.issues.size()) + " issues";
  }
  std::filesystem::path folder_;
};

TEST_F(Files, NameAndDirectoryComeFromThePath) {
  const auto parsed = parse_spec_file(write("my.face.yaml", with_node("")));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed.spec.name, "my.face");
  EXPECT_EQ(parsed.spec.directory, folder_.string());
  EXPECT_EQ(parsed.spec.file, (folder_ / "my.face.yaml").string());
}

TEST_F(Files, WhatCannotBeRead) {
  EXPECT_EQ(only_issue((folder_ / "none.yaml").string()),
            "F: error: cannot be read: No such file or directory");
  EXPECT_EQ(only_issue(folder_.string()), "F: error: is a directory, must be a pipeline file");
}

TEST_F(Files, HugeAndEndlessFiles) {
  const std::string message = "F:1:1: error: the text has more than 262144 bytes (256 KiB), the most allowed";
  EXPECT_EQ(only_issue(write("big.yaml", std::string(1 << 20, 'x'))), message);
  EXPECT_EQ(only_issue("/dev/zero"), message);
}

}  // namespace
}  // namespace sluice
