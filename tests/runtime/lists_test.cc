// Nodes that make several packets per frame (contract section 2, Items; section 3 rule 6): one message per
// frame, a failed element keeps its place as null and is counted.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "framework/core/results.h"
#include "runtime/builtin.h"
#include "runtime/pipeline.h"

namespace sluice {
namespace {

// How many elements each frame has; more than four are too many. The element numbered 1 fails, and so does
// all of frame 4.
constexpr std::size_t kElements[] = {3, 3, 0, 5, 3, 1, 4};
constexpr int kMost = 4, kFails = 1, kAllFail = 4;
std::atomic<int> ran_later{0};

class Many final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Makes a list.");
    d.input("in", PortKind::kFrame);
    d.output("items", PortKind::kDetections).up_to(kMost);
  }
  Status process(Context& context) override {
    for (std::size_t i = 0; i < kElements[context.frame().number]; ++i) {
      Packet packet;
      if (i < kMost) {
        SLUICE_ASSIGN(packet, context.make());
        auto& detections = *packet.edit<Detections>();
        detections.clear();
        detections.add().label = static_cast<int>(i);
      }
      context.emit(std::move(packet));
    }
    return {};
  }
};

Status pass_on(Context& context, int label) {
  SLUICE_ASSIGN(Packet packet, context.make());
  auto& detections = *packet.edit<Detections>();
  detections.clear();
  detections.add().label = label;
  context.emit(std::move(packet));
  return {};
}

class Each final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Fails for some elements.");
    d.input("in", PortKind::kDetections);
    d.output("items", PortKind::kDetections);
  }
  Status process(Context& context) override {
    const int label = context.input<Detections>()->items[0].label;
    if (label == kFails || context.frame().number == kAllFail) {
      context.emit(Packet());  // is no fault of the next element
      return failed("told to fail");
    }
    return pass_on(context, label);
  }
};

class Later final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Counts what it is run for.");
    d.input("in", PortKind::kDetections);
    d.output("items", PortKind::kDetections);
  }
  Status process(Context& context) override {
    ++ran_later;
    const auto* const detections = context.input<Detections>();
    return detections ? pass_on(context, detections->items[0].label) : failed("there is nothing to pass on");
  }
};

class Lists : public ::testing::Test {
 public:
  ~Lists() override { std::filesystem::remove_all(folder_); }

 protected:
  Lists() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice_lists.XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) folder_ = name;
  }

  RunReport run() {
    Registry registry = builtin_registry();
    for (const Status& status :
         {registry.add<Many>("many"), registry.add<Each>("each"), registry.add<Later>("later")})
      EXPECT_TRUE(status.ok()) << status.message();
    const std::string text =
        "version: 1\nnodes:\n"
        "  - {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64}}\n"
        "  - {id: many, type: many, inputs: cam}\n"
        "  - {id: each, type: each, inputs: many}\n"
        "  - {id: later, type: later, inputs: each}\n"
        "  - {id: out, type: json_sink, inputs: later, options: {path: " +
        (folder_ / "out.jsonl").string() + "}}\n";
    auto pipeline = Pipeline::load(text, registry);
    EXPECT_TRUE(pipeline.ok()) << pipeline.status().message();
    RunOptions options;
    options.frames = std::size(kElements);
    EXPECT_TRUE(pipeline->start(options).ok());
    const Status status = pipeline->wait();
    EXPECT_TRUE(status.ok()) << status.message();
    return pipeline->report();
  }

  std::vector<nlohmann::json> lines() const {
    std::vector<nlohmann::json> out;
    std::ifstream file(folder_ / "out.jsonl");
    for (std::string line; std::getline(file, line);) out.push_back(nlohmann::json::parse(line));
    return out;
  }

  std::filesystem::path folder_;
};

const NodeReport& node(const RunReport& report, std::string_view id) {
  for (const NodeReport& one : report.nodes)
    if (one.id == id) return one;
  throw std::runtime_error("no such node");
}

std::uint64_t lost(const NodeReport& node, DropReason reason) {
  return node.dropped[static_cast<std::size_t>(reason)];
}

TEST_F(Lists, AFailedElementIsNullAndCountedOnceAndLaterNodesDoNotRunForIt) {
  ran_later = 0;
  const RunReport report = run();
  const NodeReport& each = node(report, "each");
  // One each of frames 0, 1 and 6, and all of frame 4.
  EXPECT_EQ(each.failed_items, 3u + 3u);
  EXPECT_EQ(each.processed, 5u);
  EXPECT_EQ(lost(each, DropReason::kFailed), 1u) << "all of its elements failed";
  EXPECT_EQ(lost(node(report, "many"), DropReason::kTooMany), 1u);
  const NodeReport& later = node(report, "later");
  EXPECT_EQ(later.failed_items, 0u);
  EXPECT_EQ(later.processed, 5u) << "an empty list is data";
  EXPECT_EQ(later.packets_out, 2u + 2u + 0u + 1u + 3u);
  EXPECT_EQ(ran_later, 8);
  EXPECT_NE(to_json(report).find("\"failed_items\": 6"), std::string::npos);
}

TEST_F(Lists, ALineHasThePlacesOfAllElements) {
  run();
  const auto all = lines();
  ASSERT_EQ(all.size(), 5u);
  const std::vector<std::pair<int, std::size_t>> frames = {{0, 3}, {1, 3}, {2, 0}, {5, 1}, {6, 4}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i]["frame"], frames[i].first);
    const auto& items = all[i]["detections"];
    ASSERT_EQ(items.size(), frames[i].second) << all[i];
    for (std::size_t e = 0; e < items.size(); ++e) EXPECT_EQ(items[e].is_null(), e == kFails) << all[i];
  }
}

}  // namespace
}  // namespace sluice
