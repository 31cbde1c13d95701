// The node `preprocess`: types, folding, errors, geometry, memory. The pixels themselves: scaler_test.cc.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <new>

#include "framework/core/half.h"
#include "nodes/pixels/scaler.h"
#include "nodes/preprocess_nodes.h"
#include "tests/nodes/fake_context.h"
#include "tests/nodes/pre/reference.h"

namespace {
std::atomic<long> allocations{0};
}

// Not inlined: the compiler would see malloc on one side of a pair only, and warn.
__attribute__((noinline)) void* operator new(std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace sluice {
namespace {

using testing::FakeContext;
using testing::FakeTypes;
using testing::integer;
using testing::number;
using testing::text;

OptionValue numbers(std::initializer_list<double> values) {
  OptionList list;
  for (double v : values) list.push_back(OptionValue{v});
  return OptionValue{std::move(list)};
}

OptionsPtr options_of(OptionMap written) {
  OptionMap all;
  for (const OptionDeclaration& option : preprocess_declaration().options) all[option.name] = option.fallback;
  for (auto& [name, value] : written) all[name] = std::move(value);
  return std::make_shared<const Options>(std::move(all));
}

ModelSignature model_with(std::vector<TensorType> inputs) {
  ModelSignature model;
  model.name = "face";
  model.inputs = std::move(inputs);
  return model;
}

TensorType input_type(DType dtype, Shape shape, std::optional<QuantParams> quant = {}) {
  return {"input:0", dtype, shape, Layout::kNone, std::move(quant)};
}

Result<std::vector<PortType>> infer(OptionMap written, const ModelSignature& model = {}) {
  if (!model.inputs.empty()) written["model"] = text("face");
  const OptionsPtr options = options_of(std::move(written));
  Status wrong;  // options that are wrong by themselves
  preprocess_declaration().check_options(*options, [&](std::string_view, const Status& why) { wrong = why; });
  if (!wrong.ok()) return wrong;
  FakeTypes types(options);
  types.ports = {{testing::image_port({})}};
  types.models["model"] = model;
  return testing::types_of(preprocess_declaration(), types);
}

std::string type_text(OptionMap written, const ModelSignature& model = {}) {
  const auto result = infer(std::move(written), model);
  return result.ok() ? result->front().tensor->text() : "error: " + result.status().message();
}

TEST(PreprocessTypes, TakesTypeSizeAndLayoutFromTheModel) {
  EXPECT_EQ(type_text({}, model_with({input_type(DType::kFloat32, {1, 128, 128, 3})})),
            "float32 1x128x128x3 nhwc");
  EXPECT_EQ(type_text({}, model_with({input_type(DType::kFloat16, {-1, 3, 48, 320})})),
            "float16 1x3x48x320 nchw");
  const auto gray = infer({{"color", text("gray")}}, model_with({input_type(DType::kUint8, {1, 1, 28, 28})}));
  ASSERT_TRUE(gray.ok());
  EXPECT_EQ(gray->front().tensor->name, "input:0");
  const QuantParams quant{{0.5f}, {3}, -1};
  const auto quantised = infer({}, model_with({input_type(DType::kInt8, {1, 3, 8, 8}, quant)}));
  ASSERT_TRUE(quantised.ok());
  EXPECT_EQ(quantised->front().tensor->quant, quant);
  EXPECT_EQ(type_text({}, model_with({{"n", DType::kInt64, {1}, Layout::kNone, {}},
                                      input_type(DType::kFloat32, {1, 3, 8, 8})})),
            "float32 1x3x8x8 nchw");
}

TEST(PreprocessTypes, WritesFloatsForWideIntegersWhichThePlanRounds) {
  for (const DType wide : {DType::kInt32, DType::kInt64}) {
    const ModelSignature model = model_with({input_type(wide, {1, 3, 8, 8})});
    EXPECT_EQ(type_text({}, model), "float32 1x3x8x8 nchw");
    EXPECT_EQ(infer({{"dtype", text("uint8")}}, model).status().code(), Code::kInvalid);
  }
}

TEST(PreprocessTypes, TakesWrittenSizes) {
  EXPECT_EQ(type_text({{"width", integer(30)}, {"height", integer(20)}}), "float32 1x3x20x30 nchw");
  EXPECT_EQ(type_text({{"width", integer(30)},
                       {"height", integer(20)},
                       {"layout", text("nhwc")},
                       {"color", text("gray")},
                       {"dtype", text("uint16")}}),
            "uint16 1x20x30x1 nhwc");
}

TEST(PreprocessTypes, AcceptsWhatTheModelSaysToo) {
  const ModelSignature model = model_with({input_type(DType::kFloat32, {1, 128, 96, 3})});
  EXPECT_EQ(type_text({{"width", integer(96)},
                       {"height", integer(128)},
                       {"layout", text("nhwc")},
                       {"dtype", text("float32")}},
                      model),
            "float32 1x128x96x3 nhwc");
}

TEST(PreprocessTypes, RefusesContradictionsWithTheModel) {
  const ModelSignature model = model_with({input_type(DType::kFloat32, {1, 128, 96, 3})});
  EXPECT_EQ(type_text({{"width", integer(100)}}, model),
            "error: option 'width' is 100, but the input of model 'face' has 96; leave it out");
  EXPECT_EQ(type_text({{"height", integer(100)}}, model),
            "error: option 'height' is 100, but the input of model 'face' has 128; leave it out");
  EXPECT_EQ(type_text({{"layout", text("nchw")}}, model),
            "error: option 'layout' is nchw, but the input of model 'face' has nhwc; leave it out");
  EXPECT_EQ(type_text({{"dtype", text("uint8")}}, model),
            "error: option 'dtype' is uint8, but the input of model 'face' has float32; leave it out");
  EXPECT_EQ(infer({{"width", integer(100)}}, model).status().code(), Code::kInvalid);
}

TEST(PreprocessTypes, SaysWhatToDoWithModelsThatTakeNoPicture) {
  EXPECT_EQ(type_text({}, model_with({input_type(DType::kFloat32, {1, 512})})),
            "error: model 'face' has no inputs that take a picture (Nx3xHxW, NxHxWx3, or 1 channel): it has "
            "'input:0' "
            "float32 1x512; write width, height, layout and dtype instead of model");
  const TensorType picture = input_type(DType::kFloat32, {1, 3, 8, 8});
  EXPECT_NE(type_text({}, model_with({picture, picture})).find("has several inputs that take a picture"),
            std::string::npos);
  EXPECT_EQ(type_text({}, model_with({input_type(DType::kFloat32, {4, 3, 8, 8})})),
            "error: model 'face' takes batches of exactly 4 pictures ('input:0' 4x3x8x8); export it with "
            "batch 1 or a "
            "symbolic first dimension");
  EXPECT_EQ(type_text({}, model_with({input_type(DType::kFloat32, {1, 3, -1, 8})})),
            "error: the size of input 'input:0' of model 'face' is open (1x3x?x8); fix it with the model's "
            "dims, such as "
            "dims: {'input:0.2': 256}");
  EXPECT_EQ(type_text({}, model_with({input_type(DType::kFloat64, {1, 3, 8, 8})})),
            "error: input 'input:0' of model 'face' is float64, allowed: float32, float16, uint8, int8, "
            "uint16, int16, int32, int64; "
            "export the model with one of them");
  EXPECT_EQ(infer({}, model_with({input_type(DType::kFloat64, {1, 3, 8, 8})})).status().code(),
            Code::kUnavailable);
}

TEST(PreprocessTypes, RefusesOptionsThatDoNotFit) {
  EXPECT_EQ(type_text({}),
            "error: preprocess needs 'model', or 'width' and 'height', to know the tensor to make");
  EXPECT_EQ(type_text({}, model_with({input_type(DType::kFloat32, {1, 1, 8, 8})})),
            "error: option 'color' is 'rgb', which makes 3 channel(s), but the tensor is float32 1x1x8x8 "
            "nchw; allowed: gray");
  EXPECT_EQ(type_text({{"color", text("gray")}}, model_with({input_type(DType::kFloat32, {1, 3, 8, 8})})),
            "error: option 'color' is 'gray', which makes 1 channel(s), but the tensor is float32 1x3x8x8 "
            "nchw; allowed: "
            "rgb, bgr");
  const OptionMap size = {{"width", integer(8)}, {"height", integer(8)}};
  OptionMap mean = size;
  mean["mean"] = numbers({1, 2});
  EXPECT_EQ(type_text(mean), "error: option 'mean' has 2 values, allowed: 1, or 3 (one per channel)");
  OptionMap deviation = size;
  deviation["std"] = numbers({1, 0, 1});
  EXPECT_EQ(type_text(deviation), "error: option 'std' is 0, allowed: finite numbers above 0");
}

TEST(PreprocessTypes, ScalesAlongOtherDimensionsThanTheChannelsAreLeftToThePlan) {
  const TensorType rows = input_type(DType::kInt8, {1, 3, 3, 8}, QuantParams{{1, 1, 1}, {0, 0, 0}, 2});
  EXPECT_EQ(type_text({}, model_with({rows})), "float32 1x3x3x8 nchw");
  FakeTypes types(options_of({{"width", integer(8)}, {"height", integer(3)}}));
  const Fold fold = preprocess_declaration().fold;
  EXPECT_FALSE(fold(types, FoldDirection::kOutput, rows));
  EXPECT_TRUE(fold(types, FoldDirection::kOutput,
                   input_type(DType::kInt8, {1, 3, 3, 8}, QuantParams{{1, 1, 1}, {0, 0, 0}, 1})));
}

// The tensor is the same wherever it is made; a gpu is waited for, so that no worker may.
TEST(PreprocessTypes, TheDeviceChangesTheThreadAlone) {
  const NodeDeclaration declaration = preprocess_declaration();
  for (const char* device : {"auto", "cpu", "gpu"}) {
    const OptionMap written = {{"width", integer(8)}, {"height", integer(8)}, {"device", text(device)}};
    EXPECT_EQ(type_text(written), "float32 1x3x8x8 nchw");
    EXPECT_EQ(declaration.choose_thread(*options_of(written)),
              device == std::string("gpu") ? ThreadKind::kOwn : ThreadKind::kWorker);
  }
}

TEST(PreprocessNode, SaysWhereThereIsNoGpu) {
  const OptionMap written = {{"width", integer(8)}, {"height", integer(8)}, {"device", text("gpu")}};
  testing::OpenSetup setup(options_of(written));
  setup.input(0, testing::image_port({})).output(infer(written).value().front());
  const Status status = preprocess_declaration().create().value()->open(setup.context());
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_EQ(status.message(),
            "option 'device' is 'gpu': this program has no backend 'gpu'; allowed: auto, cpu");
}

TEST(PreprocessFold, TakesOverQuantisationOfItsOwnShape) {
  const NodeDeclaration declaration = preprocess_declaration();
  const FakeTypes types(options_of({{"width", integer(8)}, {"height", integer(4)}}));
  const auto folds = [&](const TensorType& type, FoldDirection direction = FoldDirection::kOutput) {
    return declaration.fold(types, direction, type);
  };
  const QuantParams quant{{0.5f}, {3}, -1};
  EXPECT_TRUE(folds(input_type(DType::kInt8, {1, 3, 4, 8}, quant)));
  EXPECT_TRUE(folds(input_type(DType::kUint16, {1, 3, 4, 8}, quant)));
  EXPECT_TRUE(folds(input_type(DType::kUint8, {1, 3, 4, 8}, QuantParams{{1, 2, 3}, {0, 0, 0}, 1})));
  EXPECT_TRUE(folds(input_type(DType::kUint8, {1, 3, 4, 8})));
  EXPECT_FALSE(folds(input_type(DType::kUint8, {1, 3, 4, 8}, QuantParams{{1, 2, 3, 4}, {0, 0, 0, 0}, 2})));
  EXPECT_FALSE(folds(input_type(DType::kInt8, {1, 3, 8, 8}, quant)));
  EXPECT_FALSE(folds(input_type(DType::kInt32, {1, 3, 4, 8}, quant)));
  EXPECT_FALSE(folds(input_type(DType::kFloat32, {1, 3, 4, 8})));
  EXPECT_FALSE(folds(input_type(DType::kInt8, {1, 3, 4, 8}, quant), FoldDirection::kInput));
}

// A node opened with its inferred types, fed through a context of its own.
class OpenPreprocess {
 public:
  explicit OpenPreprocess(OptionMap written, std::optional<TensorType> folded = {})
      : setup_(options_of(written)), context(setup_.options) {
    auto port = infer(std::move(written)).value().front();
    if (folded) port.tensor = std::make_shared<const TensorType>(*folded);
    setup_.input(0, testing::image_port({})).output(port);
    context.set_output(0, port, 2);
    node_ = preprocess_declaration().create().value();
    const Status status = node_->open(setup_.context());
    EXPECT_TRUE(status.ok()) << status.message();
  }
  Status run(Packet packet) {
    context.clear();
    context.set_input(0, std::move(packet));
    return node_->process(context);
  }
  const Tensor& tensor() { return *context.emitted().front().get<Tensor>(); }

 private:
  testing::OpenSetup setup_;
  std::unique_ptr<Node> node_;

 public:
  FakeContext context;
};

TEST(PreprocessNode, WritesTensorAndGeometry) {
  OpenPreprocess node({{"width", integer(8)},
                       {"height", integer(8)},
                       {"fit", text("letterbox")},
                       {"mean", number(127.5)},
                       {"std", number(127.5)},
                       {"pad_value", number(255)}});
  const ImageType type{PixelFormat::kRgb, 16, 8, {}, 0};
  ASSERT_TRUE(node.run(testing::make_picture(type, {51, 0, 0})).ok());
  const auto* values = reinterpret_cast<const float*>(node.tensor().data);
  EXPECT_EQ(values[0], 1);  // padding: normalised like a pixel
  EXPECT_NEAR(values[2 * 8], (51 - 127.5) / 127.5, 1e-6);
  EXPECT_EQ(values[6 * 8], 1);
  const Geometry& g = node.tensor().geometry;
  EXPECT_DOUBLE_EQ(g.yy * 2 + g.y0, 0);
  EXPECT_DOUBLE_EQ(g.yy * 6 + g.y0, 8);
  EXPECT_DOUBLE_EQ(g.xx * 8 + g.x0, 16);
}

TEST(PreprocessNode, WritesAFoldedQuantisation) {
  const QuantParams quant{{2.0f / 255}, {-1}, -1};
  OpenPreprocess node(
      {{"width", integer(4)}, {"height", integer(4)}, {"mean", number(127.5)}, {"std", number(127.5)}},
      TensorType{"", DType::kInt8, {1, 3, 4, 4}, Layout::kNchw, quant});
  const ImageType type{PixelFormat::kGray, 9, 9, {}, 0};
  for (int value : {0, 100, 255}) {
    ASSERT_TRUE(node.run(testing::make_picture(type, {static_cast<std::uint8_t>(value), 0, 0})).ok());
    const double real = (value - 127.5) / 127.5;
    const double want = std::clamp(std::nearbyint(real / (2.0 / 255)) - 1, -128.0, 127.0);
    EXPECT_NEAR(reinterpret_cast<const std::int8_t*>(node.tensor().data)[47], want, 1);
  }
}

TEST(PreprocessNode, AnEmptyPoolIsReportedAndTheNextFrameWorks) {
  OpenPreprocess node({{"width", integer(4)}, {"height", integer(4)}});
  const Packet picture = testing::make_picture({PixelFormat::kI420, 33, 17, {}, 270}, {100, 128, 128});
  ASSERT_TRUE(node.run(picture).ok());
  std::vector<Packet> held = {node.context.emitted().front()};
  ASSERT_TRUE(node.run(picture).ok());
  held.push_back(node.context.emitted().front());
  EXPECT_EQ(node.run(picture).code(), Code::kPoolEmpty);
  held.clear();
  EXPECT_TRUE(node.run(picture).ok());
}

// Once the tables of a picture size are made. float16 and rotation need the most scratch.
TEST(PreprocessScratch, NothingIsAllocatedPerFrame) {
  pixels::Target target;
  target.width = 50;
  target.height = 40;
  target.dtype = DType::kFloat16;
  auto scaler = pixels::PictureScaler::create(target);
  ASSERT_TRUE(scaler.ok());
  std::vector<std::byte> out(3 * 50 * 40 * 2);
  const Packet packet = testing::make_picture({PixelFormat::kNv12, 90, 70, {}, 90});
  ASSERT_TRUE(scaler->run(*packet.get<Image>(), out.data()).ok());
  const long before = allocations.load();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(scaler->run(*packet.get<Image>(), out.data()).ok());
  EXPECT_EQ(allocations.load(), before);
}

TEST(PreprocessNode, RefusesAPacketWithoutAPicture) {
  OpenPreprocess node({{"width", integer(4)}, {"height", integer(4)}});
  EXPECT_EQ(node.run(Packet{}).message(), "preprocess got no picture");
}

TEST(PreprocessNode, IsRegisteredWithItsNeighbours) {
  Registry registry;
  ASSERT_TRUE(register_preprocess_nodes(registry).ok());
  for (const char* type : {"preprocess", "quantize", "dequantize"})
    EXPECT_NE(registry.find(type), nullptr) << type;
  EXPECT_EQ(registry.find("preprocess")->thread, ThreadKind::kWorker);
  EXPECT_TRUE(registry.find("preprocess")->serial);
}

}  // namespace
}  // namespace sluice
