#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>

#include "nodes/post_nodes.h"
#include "tests/nodes/post/decoder_testing.h"

namespace sluice {
namespace {

using namespace sluice::testing;
using ::testing::HasSubstr;

// A detect node over BlazeFace outputs of a 128x128 model, or what a test sets.
class DetectTest : public ::testing::Test {
 protected:
  void start(OptionMap written) {
    written.try_emplace("decoder", text("blazeface"));
    options_ = options_of(declaration_, std::move(written));
    context_.set_options(options_);
    context_.set_output(0, port_of(PortKind::kDetections));
    OpenSetup setup(options_);
    for (const TensorType& type : types_) setup.input(0, tensor_port(type));
    node_ = declaration_.create().value();
    const Status status = node_->open(setup.context());
    ASSERT_TRUE(status.ok()) << status.message();
  }

  // One face of raw score 2 at anchor `anchor`, as large as the raw values say.
  void give_faces(const std::vector<std::pair<std::size_t, std::array<float, 4>>>& faces,
                  const Geometry& geometry) {
    std::vector<float> scores(896, -10), boxes(896 * 16, 0);
    for (const auto& [anchor, values] : faces) {
      scores[anchor] = 2;
      std::copy(values.begin(), values.end(), boxes.begin() + static_cast<std::ptrdiff_t>(anchor * 16));
    }
    context_.set_input(0, make_tensor(types_[0], scores, geometry), 0);
    context_.set_input(0, make_tensor(types_[1], boxes, geometry), 1);
  }

  const Detections& run() {
    context_.clear();
    const Status status = node_->process(context_);
    EXPECT_TRUE(status.ok()) << status.message();
    return *context_.emitted().at(0).get<Detections>();
  }

  std::vector<TensorType> types_ = {tensor_type("s", {1, 896, 1}), tensor_type("b", {1, 896, 16})};
  NodeDeclaration declaration_ = detect_declaration();
  OptionsPtr options_;
  FakeContext context_;
  std::unique_ptr<Node> node_;
};

TEST_F(DetectTest, MapsBoxesAndKeypointsToTheSource) {
  start({});
  Geometry g =
      plain_geometry(128, 128);  // letterboxed 1280x720: ten source pixels per grid pixel, 28 rows of padding
  g.xx = g.yy = 10;
  g.y0 = -280;
  g.source_width = 1280;
  g.source_height = 720;
  give_faces({{37 + 512, {0, 0, 20, 10}}}, g);  // coarse cell 6: centre (104, 8)
  context_.clear();
  const Detections& none = run();
  EXPECT_EQ(none.count, 0U) << "in the padding";
  give_faces({{2 * (5 * 16 + 4), {0, 0, 20, 10}}}, g);  // fine cell (4, 5): centre (36, 44)
  const Detections& found = run();
  ASSERT_EQ(found.count, 1U);
  EXPECT_FLOAT_EQ(found.items[0].x, 260);
  EXPECT_FLOAT_EQ(found.items[0].y, 110);
  EXPECT_FLOAT_EQ(found.items[0].width, 200);
  EXPECT_FLOAT_EQ(found.items[0].height, 100);
  ASSERT_EQ(found.items[0].keypoints.size(), 6U);
  EXPECT_FLOAT_EQ(found.items[0].keypoints[0].x, 360);
  EXPECT_FLOAT_EQ(found.items[0].keypoints[0].y, 160);
  ASSERT_TRUE(found.labels);
  EXPECT_EQ(found.labels->at(0), "face");
}

TEST_F(DetectTest, ClipsBoxesButNotKeypoints) {
  start({});
  give_faces({{0, {0, 0, 40, 40}}}, plain_geometry(128, 128));  // centre (4, 4)
  std::vector<float> boxes(896 * 16, 0);
  boxes[2] = boxes[3] = 40;
  boxes[4] = -20;
  context_.set_input(0, make_tensor(types_[1], boxes, plain_geometry(128, 128)), 1);
  const Detections& found = run();
  ASSERT_EQ(found.count, 1U);
  EXPECT_FLOAT_EQ(found.items[0].x, 0);
  EXPECT_FLOAT_EQ(found.items[0].width, 24);
  EXPECT_FLOAT_EQ(found.items[0].keypoints[0].x, -16);
}

TEST_F(DetectTest, FollowsAQuarterTurn) {
  start({});
  Geometry g = plain_geometry(128, 128);  // x_source = 128 - y, y_source = x
  g.xx = g.yy = 0;
  g.xy = -1;
  g.x0 = 128;
  g.yx = 1;
  give_faces({{2 * (5 * 16 + 4), {0, 0, 20, 10}}}, g);
  const Detections& found = run();
  ASSERT_EQ(found.count, 1U);
  EXPECT_FLOAT_EQ(found.items[0].x, 128 - 44 - 5);
  EXPECT_FLOAT_EQ(found.items[0].y, 36 - 10);
  EXPECT_FLOAT_EQ(found.items[0].width, 10);
  EXPECT_FLOAT_EQ(found.items[0].height, 20);
}

TEST_F(DetectTest, EveryBoxLiesInThePicture) {
  start({{"min_score", number(0)}, {"max_detections", integer(1000)}});
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::normal_distribution<float> any(0, 60);
    std::vector<float> scores(896), boxes(896 * 16);
    for (float& v : scores) v = any(random);
    for (float& v : boxes) v = any(random);
    Geometry g = plain_geometry(128, 128);
    g.source_width = 640, g.source_height = 361;
    g.xx = 640.0 / 128, g.yy = 361.0 / 100, g.y0 = -14.3;
    context_.set_input(0, make_tensor(types_[0], scores, g), 0);
    context_.set_input(0, make_tensor(types_[1], boxes, g), 1);
    for (const Detection& d : run()) {
      EXPECT_GE(d.x, 0);
      EXPECT_GE(d.y, 0);
      EXPECT_GT(d.width, 0);
      EXPECT_GT(d.height, 0);
      EXPECT_LE(d.x + d.width, 640.001F);
      EXPECT_LE(d.y + d.height, 361.001F);
    }
  }
}

TEST_F(DetectTest, SuppressionIsWeightedForBlazeFaceAndHardOnDemand) {
  const std::vector<std::pair<std::size_t, std::array<float, 4>>> faces = {{100, {0, 0, 20, 20}},
                                                                           {101, {4, 0, 20, 20}}};
  start({});
  give_faces(faces, plain_geometry(128, 128));
  const float mean = run().items.at(0).x;
  start({{"nms", text("hard")}});
  give_faces(faces, plain_geometry(128, 128));
  const Detections& hard = run();
  ASSERT_EQ(hard.count, 1U);
  EXPECT_FLOAT_EQ(mean, hard.items[0].x + 2);
}

TEST_F(DetectTest, LiveOptionsTakeEffectWithTheNextFrame) {
  start({});
  give_faces({{100, {0, 0, 10, 10}}, {700, {0, 0, 10, 10}}}, plain_geometry(128, 128));
  EXPECT_EQ(run().count, 2U);
  context_.set_options(
      options_of(declaration_, {{"decoder", text("blazeface")}, {"max_detections", integer(1)}}));
  EXPECT_EQ(run().count, 1U);
  context_.set_options(
      options_of(declaration_, {{"decoder", text("blazeface")}, {"min_score", number(0.95)}}));
  EXPECT_EQ(run().count, 0U) << "sigmoid(2) is 0.88";
  for (const OptionDeclaration& option : declaration_.options) {
    const bool live = option.name == "min_score" || option.name == "iou" || option.name == "max_detections";
    EXPECT_EQ(option.live, live) << option.name;
  }
}

TEST_F(DetectTest, ChoosesTheDecoderOfTheFramesRoute) {
  start({});
  OpenSetup setup(options_);
  for (const TensorType& type : types_) setup.input(0, tensor_port(type));
  setup.routes.emplace_back();
  setup.routes[1].inputs.resize(1);
  for (const auto& type :
       {tensor_type("Identity:0", {1, 512, 1}), tensor_type("Identity_1:0", {1, 384, 1}),
        tensor_type("Identity_2:0", {1, 512, 16}), tensor_type("Identity_3:0", {1, 384, 16})}) {
    setup.routes[1].inputs[0].push_back(tensor_port(type));
    std::vector<float> values(element_count(type.shape).value(), type.shape[2] == 1 ? -10.0F : 10.0F);
    if (type.name == "Identity_1:0") values[0] = 5;
    context_.set_input(0, make_tensor(type, values, plain_geometry(128, 128)),
                       setup.routes[1].inputs[0].size() - 1);
  }
  node_ = declaration_.create().value();
  ASSERT_TRUE(node_->open(setup.context()).ok());
  context_.route_index = 1;
  ASSERT_EQ(run().count, 1U);
}

TEST_F(DetectTest, FailsWithoutAPictureOrAnOutput) {
  start({});
  give_faces({}, Geometry{});
  EXPECT_THAT(node_->process(context_).message(), HasSubstr("do not come from a picture"));
  context_.set_input(0, std::vector<Packet>{}, 1);
  EXPECT_THAT(node_->process(context_).message(), HasSubstr("without one of the model's outputs"));
}

TEST_F(DetectTest, AnEmptyPoolIsHandedUp) {
  start({});
  context_.set_output(0, port_of(PortKind::kDetections), 1);
  give_faces({}, plain_geometry(128, 128));
  ASSERT_TRUE(node_->process(context_).ok());
  EXPECT_EQ(node_->process(context_).code(), Code::kPoolEmpty);
}

TEST_F(DetectTest, TypesAreCheckedInThePlan) {
  FakeTypes types(options_of(declaration_, {{"decoder", text("yolo")}}));
  types.ports = {{tensor_port(types_[0]), tensor_port(types_[1])}};
  EXPECT_THAT(declaration_.infer_types(types).status().message(),
              HasSubstr("decoder 'yolo' cannot read outputs of"));
  FakeTypes right(options_of(declaration_, {{"decoder", text("blazeface")}}));
  right.ports = types.ports;
  const auto out = declaration_.infer_types(right);
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(out->at(0).kind, PortKind::kDetections);
}

TEST_F(DetectTest, FoldsQuantisationPerTensorOnly) {
  const FakeTypes types;
  const auto folds = [&](const TensorType& t, FoldDirection d) { return declaration_.fold(types, d, t); };
  const TensorType per_tensor = quantised(types_[0], DType::kUint8, 0.1F, 3);
  TensorType per_axis = per_tensor;
  per_axis.quant = QuantParams{{0.1F, 0.2F}, {0, 0}, 1};
  EXPECT_TRUE(folds(per_tensor, FoldDirection::kInput));
  EXPECT_FALSE(folds(per_tensor, FoldDirection::kOutput));
  EXPECT_FALSE(folds(per_axis, FoldDirection::kInput));
  EXPECT_FALSE(folds(types_[0], FoldDirection::kInput));
}

TEST_F(DetectTest, PreparedPacketsDoNotGrow) {
  Detections detections;
  declaration_.outputs[0].prepare(&detections, *options_of(declaration_, {{"decoder", text("blazeface")}}));
  EXPECT_EQ(detections.items.size(), 100U);
  EXPECT_GE(detections.items[99].keypoints.capacity(), 6U);
  EXPECT_EQ(detections.count, 0U);
}

TEST_F(DetectTest, PostProcessedBoxesAreNotSuppressedAgain) {
  types_ = {tensor_type("boxes", {1, 2, 4}), tensor_type("classes", {1, 2}), tensor_type("scores", {1, 2})};
  start({{"decoder", text("ssd")}});
  const Geometry g = plain_geometry(100, 100);
  context_.set_input(0, make_tensor(types_[0], std::vector<float>{0, 0, 0.5F, 0.5F, 0, 0, 0.5F, 0.5F}, g), 0);
  context_.set_input(0, make_tensor(types_[1], std::vector<float>{1, 1}, g), 1);
  context_.set_input(0, make_tensor(types_[2], std::vector<float>{0.8F, 0.9F}, g), 2);
  const Detections& found = run();
  ASSERT_EQ(found.count, 2U);
  EXPECT_FLOAT_EQ(found.items[0].score, 0.9F) << "best first";
}

TEST_F(DetectTest, WhatLiesOutsideThePictureTakesNobodysPlace) {
  types_ = {tensor_type("boxes", {1, 3, 4}), tensor_type("classes", {1, 3}), tensor_type("scores", {1, 3})};
  start({{"decoder", text("ssd")}, {"max_detections", integer(1)}});
  const Geometry g = plain_geometry(100, 100);
  context_.set_input(
      0,
      make_tensor(types_[0], std::vector<float>{1.2F, 0, 1.5F, 0.5F, 0, 0, 0.5F, 0.5F, 0, 0, 0.2F, 0.2F}, g),
      0);
  context_.set_input(0, make_tensor(types_[1], std::vector<float>{1, 1, 1}, g), 1);
  context_.set_input(0, make_tensor(types_[2], std::vector<float>{0.9F, 0.8F, 0.7F}, g), 2);
  const Detections& found = run();
  ASSERT_EQ(found.count, 1U);
  EXPECT_FLOAT_EQ(found.items[0].score, 0.8F);
}

// Of an SSD's first box: left, top, right and bottom.
class BoxOptionsTest : public DetectTest {
 protected:
  std::array<float, 4> first_box(const std::string& order, const std::string& unit, float scale) {
    types_ = {tensor_type("boxes", {1, 2, 4}), tensor_type("classes", {1, 2}), tensor_type("scores", {1, 2})};
    start({{"decoder", text("ssd")}, {"box_order", text(order)}, {"box_unit", text(unit)}});
    const Geometry g = plain_geometry(100, 100);
    std::vector<float> boxes{0.1F, 0.2F, 0.5F, 0.875F, 0, 0, 0, 0};
    for (float& corner : boxes) corner *= scale;
    context_.set_input(0, make_tensor(types_[0], boxes, g), 0);
    context_.set_input(0, make_tensor(types_[1], std::vector<float>{1, 1}, g), 1);
    context_.set_input(0, make_tensor(types_[2], std::vector<float>{0.9F, 0}, g), 2);
    const Detections& found = run();
    if (found.count != 1) return {};
    const auto& box = found.items[0];
    return {box.x, box.y, box.x + box.width, box.y + box.height};
  }
};

TEST_F(BoxOptionsTest, TheOrderIsAsWritten) {
  using ::testing::FloatEq;
  const auto rows_first = ::testing::ElementsAre(FloatEq(20), FloatEq(10), FloatEq(87.5F), FloatEq(50));
  EXPECT_THAT(first_box("xyxy", "parts", 1),
              ::testing::ElementsAre(FloatEq(10), FloatEq(20), FloatEq(50), FloatEq(87.5F)));
  EXPECT_THAT(first_box("yxyx", "parts", 1), rows_first);
  EXPECT_THAT(first_box("auto", "parts", 1), rows_first);
}

TEST_F(BoxOptionsTest, TheUnitIsAsWritten) {
  EXPECT_EQ(first_box("xyxy", "pixels", 100), first_box("xyxy", "parts", 1));
}

class LabelsTest : public DetectTest {
 public:
  ~LabelsTest() override { std::filesystem::remove(path_); }

 protected:
  Status open_with(const std::string& content) {
    std::ofstream(path_, std::ios::binary) << content;
    FakeTypes types(options_of(declaration_, {{"decoder", text("blazeface")}, {"labels", text(path_)}}));
    types.ports = {{tensor_port(types_[0]), tensor_port(types_[1])}};
    return declaration_.infer_types(types).status();
  }
  // Of this process alone: CTest runs the tests of one program side by side.
  const std::string path_ = ::testing::TempDir() + std::to_string(::getpid()) + "_labels.txt";
};

TEST_F(LabelsTest, AFileHasOneNamePerLine) {
  ASSERT_TRUE(open_with("Gesicht\r\nHünd\n\n").ok());
  start({{"labels", text(path_)}});
  give_faces({}, plain_geometry(128, 128));
  EXPECT_THAT(*run().labels, ::testing::ElementsAre("Gesicht", "Hünd"));
}

TEST_F(LabelsTest, AByteOrderMarkIsNoPartOfAName) {
  ASSERT_TRUE(open_with("\xEF\xBB\xBF"
                        "face\nhand\n")
                  .ok());
  start({{"labels", text(path_)}});
  give_faces({}, plain_geometry(128, 128));
  EXPECT_THAT(*run().labels, ::testing::ElementsAre("face", "hand"));
}

TEST_F(LabelsTest, BadFilesAreNamed) {
  EXPECT_THAT(open_with("").message(), HasSubstr("labels.txt' holds no names"));
  EXPECT_THAT(open_with("a\n\xff\n").message(), HasSubstr("line 2 of"));
  EXPECT_THAT(open_with(std::string((1 << 20) + 1, 'a')).message(), HasSubstr("more than 1 MiB"));
  FakeTypes types(
      options_of(declaration_, {{"decoder", text("blazeface")}, {"labels", text("/no/such/file")}}));
  EXPECT_EQ(declaration_.infer_types(types).status().message(),
            "option 'labels': cannot read '/no/such/file': No such file or directory");
}

// Nobody may ever write into it, and `check` must end.
TEST_F(LabelsTest, APipeIsNotWaitedFor) {
  const std::string pipe = path_ + ".pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  FakeTypes types(options_of(declaration_, {{"decoder", text("blazeface")}, {"labels", text(pipe)}}));
  EXPECT_EQ(declaration_.infer_types(types).status().message(),
            "option 'labels': '" + pipe + "' is a pipe, must be a file");
  std::filesystem::remove(pipe);
}

}  // namespace
}  // namespace sluice
