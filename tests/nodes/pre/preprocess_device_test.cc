// `preprocess` on a gpu that the plan chose: the cpu takes over when it is not there or fails. The backend is
// a stand-in that writes sevens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "framework/core/clock.h"
#include "framework/core/log.h"
#include "framework/node/chosen_device.h"
#include "inference/picture_maker.h"
#include "inference/services.h"
#include "nodes/preprocess_nodes.h"
#include "tests/nodes/fake_context.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::integer;
using ::testing::IsEmpty;
using testing::text;

constexpr int kSize = 4;
constexpr float kFromGpu = 7;

struct Faults {
  Status missing, closed, failing;  // no gpu; it cannot be opened; its next runs
  std::string device;               // that was asked for
};

class Sevens final : public PictureMaker {
 public:
  explicit Sevens(Faults& faults) : faults_(faults) {}
  Status prepare(const PictureRecipe&) override { return {}; }
  Status run(const Image&, std::byte* out) override {
    SLUICE_RETURN_IF_ERROR(faults_.failing);
    std::fill_n(reinterpret_cast<float*>(out), 3 * kSize * kSize, kFromGpu);
    return {};
  }
  Status adopt(const SharedMemory&) override { return {}; }
  void disown(const std::byte*) override {}

 private:
  Faults& faults_;
};

class StandIn final : public Backend, public PictureBackend {
 public:
  explicit StandIn(Faults& faults) : faults_(faults) {}
  std::string_view name() const override { return "gpu"; }
  Status available() override { return faults_.missing; }
  const std::vector<OptionDeclaration>& options() const override { return options_; }
  Result<std::unique_ptr<Session>> open(const SessionRequest&) override {
    return unavailable("no models here");
  }
  Result<std::unique_ptr<PictureMaker>> open_pictures(const std::string& device) override {
    faults_.device = device;
    SLUICE_RETURN_IF_ERROR(faults_.closed);
    return std::unique_ptr<PictureMaker>(std::make_unique<Sevens>(faults_));
  }

 private:
  Faults& faults_;
  std::vector<OptionDeclaration> options_;
};

class PreprocessDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    said().clear();
    set_log_sink([](LogLevel level, std::string_view line) {
      if (level >= LogLevel::kWarning) said().emplace_back(line);
    });
    InferenceSetup setup;
    setup.clock = &clock_;
    setup.backends.push_back(std::make_unique<StandIn>(faults_));
    services_ = std::make_unique<InferenceServices>(std::move(setup));
  }
  void TearDown() override { set_log_sink(nullptr); }
  static std::vector<std::string>& said() {
    static std::vector<std::string> lines;
    return lines;
  }

  // `chosen`: by the plan; else the file says `device: gpu`.
  Status open(bool chosen) {
    OptionMap all;
    for (const OptionDeclaration& option : preprocess_declaration().options)
      all[option.name] = option.fallback;
    all["width"] = all["height"] = integer(kSize);
    all["gpu"] = OptionValue{OptionMap{{"device", text("mali")}}};
    all["device"] = text(chosen ? "auto" : "gpu");
    if (chosen) all[std::string(kChosenDevice)] = text("gpu");
    const auto options = std::make_shared<const Options>(std::move(all));
    EXPECT_EQ(preprocess_declaration().choose_thread(*options), ThreadKind::kOwn);
    testing::FakeTypes types(options);
    types.ports = {{testing::image_port({})}};
    const PortType port = preprocess_declaration().infer_types(types).value().front();
    setup_ = std::make_unique<testing::OpenSetup>(options);
    setup_->input(0, testing::image_port({})).output(port);
    context_ = std::make_unique<testing::FakeContext>(options);
    context_->set_output(0, port, 2);
    node_ = preprocess_declaration().create().value();
    OpenContext context = setup_->context();
    context.services = services_.get();
    return node_->open(context);
  }
  // The first element of the tensor of a picture of 100, or what went wrong.
  Result<float> run() {
    context_->clear();
    context_->set_input(0, testing::make_picture({PixelFormat::kGray, 8, 8, {}, 0}, {100, 0, 0}));
    SLUICE_RETURN_IF_ERROR(node_->process(*context_));
    return *reinterpret_cast<const float*>(context_->emitted().front().get<Tensor>()->data);
  }

  ManualClock clock_;
  Faults faults_;
  std::unique_ptr<InferenceServices> services_;
  std::unique_ptr<testing::OpenSetup> setup_;
  std::unique_ptr<testing::FakeContext> context_;
  std::unique_ptr<Node> node_;
};

TEST_F(PreprocessDevice, WhereThePlanChoseTheGpuItIsTaken) {
  ASSERT_TRUE(open(true).ok());
  EXPECT_EQ(run().value(), kFromGpu);
  EXPECT_EQ(faults_.device, "mali");
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(PreprocessDevice, AChosenGpuThatFailsLosesNoFrameAndIsLeftForGood) {
  ASSERT_TRUE(open(true).ok());
  EXPECT_EQ(run().value(), kFromGpu);
  faults_.failing = unavailable("out of memory");
  EXPECT_EQ(run().value(), 100);
  faults_.failing = {};
  EXPECT_EQ(run().value(), 100) << "one warning, one change";
  EXPECT_THAT(said(), ElementsAre("node 'node': its tensors are made on the cpu from now on: out of memory"));
}

TEST_F(PreprocessDevice, AChosenGpuThatCannotBeOpenedIsSaid) {
  faults_.closed = unavailable("no room for a picture");
  ASSERT_TRUE(open(true).ok());
  EXPECT_THAT(said(), IsEmpty()) << "the infer node's error may be the same";
  EXPECT_EQ(run().value(), 100);
  EXPECT_EQ(run().value(), 100);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("on the cpu from now on: option 'device' is 'gpu': no room")));
}

// The infer node behind it says why there is none, as its on_fallback wants.
TEST_F(PreprocessDevice, WhereThereIsNoGpuTheInferNodesWordIsEnough) {
  faults_.missing = unavailable("no OpenCL");
  ASSERT_TRUE(open(true).ok());
  EXPECT_EQ(run().value(), 100);
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(PreprocessDevice, AGpuThatTheFileNamesIsNotReplaced) {
  ASSERT_TRUE(open(false).ok());
  EXPECT_EQ(run().value(), kFromGpu);
  faults_.failing = unavailable("out of memory");
  EXPECT_EQ(run().status().message(), "out of memory");
  faults_.closed = unavailable("no room");
  EXPECT_EQ(open(false).code(), Code::kUnavailable);
}

}  // namespace
}  // namespace sluice
