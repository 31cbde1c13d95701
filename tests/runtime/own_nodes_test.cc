// Nodes of an application's own that do what they should not: the frame is lost, or the file is refused, and
// the program goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/runtime/application.h"

namespace sluice {
namespace {

using sluice::testing::Application;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Names outputs that it does not have, in each way there is.
class Astray final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Names outputs that it does not have.");
    d.input("in", PortKind::kFrame);
    d.output("out", PortKind::kDetections);
  }
  Status process(Context& context) override {
    switch (context.frame().number) {
      case 0:
        return context.make(1).status();
      case 1:
        return context.make_image(2, {}).status();
      case 2:
        context.filter_port(64);
        return {};
      case 3: {
        SLUICE_ASSIGN(Packet packet, context.make());
        context.emit(5, std::move(packet));
        return {};
      }
      default:
        return pass_on(context);
    }
  }

 private:
  static Status pass_on(Context& context) {
    SLUICE_ASSIGN(Packet packet, context.make());
    context.emit(std::move(packet));
    return {};
  }
};

TEST(OwnNode, ThatNamesAnOutputItLacksLosesTheFrameNotTheProgram) {
  Registry registry = builtin_registry();
  ASSERT_TRUE(registry.add<Astray>("astray").ok());
  Application app(false, "type: astray", registry);
  ASSERT_TRUE(app.pipeline().start().ok());
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(app.push(i).ok());
  app.source().close();
  EXPECT_TRUE(app.pipeline().wait().ok());
  EXPECT_THAT(app.numbers(), ElementsAre(4U, 5U));
  const RunReport report = app.pipeline().report();
  EXPECT_EQ(report.sources[0].dropped[static_cast<std::size_t>(DropReason::kFailed)], 4U);

  Application strict(false, "type: astray, on_error: stop", registry);
  ASSERT_TRUE(strict.pipeline().start().ok());
  ASSERT_TRUE(strict.push(0).ok());
  strict.source().close();
  EXPECT_THAT(strict.pipeline().wait().message(),
              HasSubstr("there is no output 1: the node declares 1, counted from 0"));
}

// Hands its picture on as what it found in it.
class Mislabels final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Emits a frame where it declares detections.");
    d.input("in", PortKind::kFrame);
    d.output("found", PortKind::kDetections);
  }
  Status process(Context& context) override {
    if (context.frame().number % 2 == 0) {
      context.emit(context.packet(0));
      return {};
    }
    SLUICE_ASSIGN(Packet packet, context.make());
    context.emit(std::move(packet));
    return {};
  }
};

// Declares a tensor of four numbers and makes it one of another type for every frame but the last.
class Reshapes final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Emits a tensor of another type than it declares.");
    d.input("in", PortKind::kFrame);
    d.output("numbers", PortKind::kTensor);
    d.infer_types = [](const TypeContext&) -> Result<std::vector<PortType>> {
      PortType out;
      out.kind = PortKind::kTensor;
      out.name = "numbers";
      out.tensor = type({1, 4});
      return std::vector<PortType>{out};
    };
  }
  Status process(Context& context) override {
    SLUICE_ASSIGN(Packet packet, context.make());
    const std::uint64_t number = context.frame().number;
    if (number == 0) packet.edit<Tensor>()->type = type({1, 2});
    if (number == 1) packet.edit<Tensor>()->type = type({1, 4}, DType::kInt32);
    if (number == 2) packet.edit<Tensor>()->type = nullptr;
    if (number == 3) packet.edit<Tensor>()->type = type({1, 4});  // another object of the same type
    context.emit(std::move(packet));
    return {};
  }

 private:
  static std::shared_ptr<const TensorType> type(Shape shape, DType dtype = DType::kFloat32) {
    auto out = std::make_shared<TensorType>();
    out->name = "numbers";
    out->dtype = dtype;
    out->shape = shape;
    return out;
  }
};

// Has nothing to give for every second picture, and emits that.
class EmitsNothing final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Emits empty packets.");
    d.input("in", PortKind::kFrame);
    d.output("found", PortKind::kDetections);
  }
  Status process(Context& context) override {
    Packet packet;
    if (context.frame().number % 2 == 1) {
      SLUICE_ASSIGN(packet, context.make());
    }
    context.emit(std::move(packet));
    return {};
  }
};

// Pushes six frames through a node that emits what it did not declare.
std::vector<std::uint64_t> delivered_by(const std::string& type, const Registry& registry) {
  Application app(false, "type: " + type, registry);
  EXPECT_TRUE(app.pipeline().start().ok());
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(app.push(i).ok());
  app.source().close();
  EXPECT_TRUE(app.pipeline().wait().ok());
  const std::uint64_t failed =
      app.pipeline().report().sources[0].dropped[static_cast<std::size_t>(DropReason::kFailed)];
  EXPECT_EQ(failed + app.numbers().size(), 6U);
  return app.numbers();
}

std::string refusal_of(const std::string& type, const Registry& registry) {
  Application app(false, "type: " + type + ", on_error: stop", registry);
  EXPECT_TRUE(app.pipeline().start().ok());
  EXPECT_TRUE(app.push(0).ok());
  app.source().close();
  return app.pipeline().wait().message();
}

TEST(OwnNode, ThatEmitsAnotherTypeThanItDeclaresLosesTheFrame) {
  Registry registry = builtin_registry();
  ASSERT_TRUE(registry.add<Mislabels>("mislabels").ok());
  ASSERT_TRUE(registry.add<Reshapes>("reshapes").ok());
  EXPECT_THAT(delivered_by("mislabels", registry), ElementsAre(1U, 3U, 5U));
  EXPECT_THAT(delivered_by("reshapes", registry), ElementsAre(3U, 4U, 5U));
  EXPECT_THAT(
      refusal_of("mislabels", registry),
      HasSubstr("node 'middle': frame 0 of 'mine': output 'found' is declared as detections, but frame gray "
                "32x16 was emitted"));
  EXPECT_THAT(
      refusal_of("reshapes", registry),
      HasSubstr("node 'middle': frame 0 of 'mine': output 'numbers' is declared as float32 1x4, but float32 "
                "1x2 was emitted"));
}

TEST(OwnNode, ThatEmitsAnEmptyPacketLosesTheFrame) {
  Registry registry = builtin_registry();
  ASSERT_TRUE(registry.add<EmitsNothing>("emits_nothing").ok());
  EXPECT_THAT(delivered_by("emits_nothing", registry), ElementsAre(1U, 3U, 5U));
  EXPECT_THAT(
      refusal_of("emits_nothing", registry),
      HasSubstr("node 'middle': frame 0 of 'mine': an empty packet was emitted on output 'found'; what has "
                "nothing to give calls filter() or drop()"));
}

// Keeps all that it makes, of which it declares one, until there is no more; or throws each away.
template <bool kKeeps>
class MakesAll final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Makes more than it declares.");
    d.input("in", PortKind::kFrame);
    d.output("out", PortKind::kDetections);
  }
  Status process(Context& context) override {
    std::vector<Packet> kept;
    for (int i = 0; i < 1000; ++i) {
      SLUICE_ASSIGN(Packet packet, context.make());
      if (kKeeps) kept.push_back(std::move(packet));
    }
    SLUICE_ASSIGN(Packet packet, context.make());
    context.emit(std::move(packet));
    return {};
  }
};

// Fails without a word.
class DropsAll final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Drops each frame as failed.");
    d.input("in", PortKind::kFrame);
    d.sink = true;
  }
  Status process(Context& context) override {
    context.drop(DropReason::kFailed);
    return {};
  }
};

TEST(OwnNode, ThatDropsAFrameAsFailedIsNamedAsTheReason) {
  Registry registry = builtin_registry();
  ASSERT_TRUE(registry.add<DropsAll>("drops").ok());
  Result<Pipeline> pipeline = Pipeline::load(
      "version: 1\nnodes:\n"
      "  - {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64}}\n"
      "  - {id: out, type: drops, inputs: cam}\n",
      registry);
  ASSERT_TRUE(pipeline.ok()) << pipeline.status().message();
  ASSERT_TRUE(pipeline->start({.frames = 2}).ok());
  EXPECT_THAT(pipeline->wait().message(), HasSubstr("node 'out': dropped a frame as failed"));
}

// Its boxes are of the small pictures.
TEST(OwnNode, OfASmallSourceEditsACopyOfALargePicture) {
  Result<Pipeline> pipeline = Pipeline::load(
      "version: 1\nnodes:\n"
      "  - {id: small, type: video_source, options: {uri: 'test:bars', width: 64, height: 64}}\n"
      "  - {id: large, type: video_source, options: {uri: 'test:bars', width: 640, height: 480}}\n"
      "  - {id: boxes, type: finds, inputs: small}\n"
      "  - {id: overlay, type: draw, inputs: {image: {from: large, sync: latest}, detections: boxes}}\n"
      "  - {id: out, type: null_sink, inputs: overlay}\n",
      [] {
        Registry registry = builtin_registry();
        EXPECT_TRUE(registry.add<MakesAll<false>>("finds").ok());
        return registry;
      }());
  ASSERT_TRUE(pipeline.ok()) << pipeline.status().message();
  ASSERT_TRUE(pipeline->start({.frames = 3}).ok());
  EXPECT_TRUE(pipeline->wait().ok());
  for (const NodeReport& node : pipeline->report().nodes) EXPECT_EQ(node.failed_items, 0U) << node.id;
}

// Nobody else could give such a node what it waits for.
TEST(OwnNode, ThatHoldsMorePacketsThanItDeclaresLosesTheFrame) {
  Registry registry = builtin_registry();
  ASSERT_TRUE(registry.add<MakesAll<true>>("keeps").ok());
  ASSERT_TRUE(registry.add<MakesAll<false>>("wastes").ok());
  Application keeps(false, "type: keeps", registry), wastes(false, "type: wastes", registry);
  for (Application* app : {&keeps, &wastes}) {
    ASSERT_TRUE(app->pipeline().start().ok());
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(app->push(i).ok());
    app->source().close();
    EXPECT_TRUE(app->pipeline().wait().ok());
  }
  const RunReport report = keeps.pipeline().report();
  EXPECT_EQ(report.sources[0].dropped[static_cast<std::size_t>(DropReason::kTooMany)], 6U);
  EXPECT_EQ(wastes.numbers().size(), 6U);
}

// Makes a picture of the type that it said its port has, or said nothing of.
template <bool kSays>
class MakesPicture final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Makes a picture.");
    d.input("in", PortKind::kFrame);
    d.output("out", PortKind::kFrame);
    if (!kSays) return;
    d.infer_types = [](const TypeContext&) -> Result<std::vector<PortType>> {
      PortType out;
      out.kind = PortKind::kFrame;
      out.image = {PixelFormat::kGray, 8, 4, {}, 0};
      return std::vector<PortType>{out};
    };
  }
  Status process(Context& context) override {
    SLUICE_ASSIGN(Packet packet, context.make());
    auto* image = packet.edit<Image>();
    image->planes[0][3 * image->strides[0] + 7] = 1;
    context.emit(std::move(packet));
    return {};
  }
};

TEST(OwnNode, MakesPicturesOfTheTypeItDeclares) {
  Registry registry = builtin_registry();
  ASSERT_TRUE(registry.add<MakesPicture<true>>("says").ok());
  ASSERT_TRUE(registry.add<MakesPicture<false>>("silent").ok());
  Application app(false, "type: says", registry);
  ASSERT_TRUE(app.pipeline().start().ok());
  ASSERT_TRUE(app.push(0).ok());
  app.source().close();
  EXPECT_TRUE(app.pipeline().wait().ok());
  EXPECT_THAT(app.numbers(), ElementsAre(0U));
  EXPECT_THAT(refusal_of("silent", registry),
              HasSubstr("output 'out' has no type that is known before the run: give make_image() the "
                        "picture's"));
}

// Its second capture has no packet.
class Forgets final : public SourceNode {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Forgets the picture of a capture.");
    d.source = true;
    d.thread = ThreadKind::kOwn;
    d.option("computes", false);
    d.output("frame", PortKind::kFrame);
  }
  Result<SourceInfo> probe(const OpenContext& context) override {
    SourceInfo info;
    info.type = kPicture;
    info.only_computes = context.options->flag("computes");
    return info;
  }
  Result<Capture> next(SourceContext& context) override {
    Capture capture;
    if (made_++ > 0) return capture;
    SLUICE_ASSIGN(capture.packet, context.make_image(kPicture));
    return capture;
  }

 private:
  static constexpr ImageType kPicture{PixelFormat::kGray, 8, 4, {}, 0};
  int made_ = 0;
};

TEST(OwnNode, ThatForgetsACapturesPacketEndsItsSourceByError) {
  Registry registry = builtin_registry();
  ASSERT_TRUE(registry.add<Forgets>("forgets").ok());
  for (const char* const computes : {"true", "false"}) {
    auto pipeline = Pipeline::load(
        "version: 1\nnodes:\n  - {id: mine, type: forgets, options: {computes: " + std::string(computes) +
            "}}\n  - {id: out, type: null_sink, inputs: mine}\n",
        registry);
    ASSERT_TRUE(pipeline.ok()) << pipeline.status().message();
    ASSERT_TRUE(pipeline->start().ok());
    EXPECT_THAT(pipeline->wait().message(), HasSubstr("next() returned a capture without a packet"));
    EXPECT_EQ(pipeline->report().sources[0].delivered, 1U);
  }
}

struct CannotDescribe final : public Node {
  static void describe(NodeDeclaration&) { throw std::runtime_error("no words"); }
  Status process(Context&) override { return {}; }
};

TEST(OwnNode, ThatCannotDescribeItselfIsRefused) {
  Registry registry;
  EXPECT_EQ(registry.add<CannotDescribe>("mute").message(),
            "node type 'mute': describe(): threw an exception: no words");
  EXPECT_FALSE(registry.find("mute"));
}

// Types that can be declared, but make no node.
TEST(OwnNode, ThatItsTypeDoesNotMakeIsAnErrorAtItsPlace) {
  const auto refusal = [](const CreateNode& create) {
    Registry registry = builtin_registry();
    NodeDeclaration d = *registry.find("null_sink");
    d.type = "mine";
    d.create = create;
    EXPECT_TRUE(registry.add(std::move(d)).ok());
    const auto pipeline = Pipeline::load(
        "version: 1\nnodes:\n  - {id: cam, type: video_source, options: {uri: 'test:bars'}}\n  - {id: out, "
        "type: mine, inputs: cam}\n",
        registry);
    EXPECT_EQ(pipeline.status().code(), Code::kInvalid);
    return pipeline.status().message();
  };
  const std::string at = ":4:10: error: node 'out': ";
  EXPECT_THAT(refusal(nullptr), HasSubstr(at + "type 'mine' cannot run: its declaration has no create()"));
  EXPECT_THAT(refusal([] { return Result<std::unique_ptr<Node>>(std::unique_ptr<Node>()); }),
              HasSubstr(at + "type 'mine' cannot run: its create() returned no node"));
  EXPECT_THAT(
      refusal([]() -> Result<std::unique_ptr<Node>> { throw std::runtime_error("no constructor today"); }),
      HasSubstr(at + "create(): threw an exception: no constructor today"));
  EXPECT_THAT(refusal([] { return Result<std::unique_ptr<Node>>(failed("no camera")); }),
              HasSubstr(at + "no camera"));
}

}  // namespace
}  // namespace sluice
