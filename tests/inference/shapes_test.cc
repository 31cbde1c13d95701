// Shapes that follow from an operator's rule: of whole small models, as read from their bytes.
#include "inference/onnx/shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/onnx/macs.h"
#include "tests/inference/onnx_builder.h"

namespace sluice::onnx {
namespace {

using sluice::testing::int_attribute;
using sluice::testing::ModelBuilder;
using sluice::testing::tensor;
using ::testing::ElementsAre;
namespace pb = field;

std::string ints(const std::string& name, const std::vector<std::int64_t>& values) {
  Writer out;
  out.bytes(pb::kAttributeName, name);
  for (const std::int64_t value : values) out.varint(8, static_cast<std::uint64_t>(value));
  return out.varint(20, 7).take();
}

std::string text(const std::string& name, const std::string& value) {
  return Writer().bytes(pb::kAttributeName, name).bytes(4, value).varint(20, 3).take();
}

std::string weights(const std::string& name, const std::vector<std::int64_t>& dims) {
  std::size_t count = 1;
  for (const std::int64_t size : dims) count *= static_cast<std::size_t>(size);
  return tensor<float>(name, kFloat, dims, std::vector<float>(count));
}

std::string sizes(const std::string& name, const std::vector<std::int64_t>& values) {
  return tensor<std::int64_t>(name, kInt64, {static_cast<std::int64_t>(values.size())}, values);
}

struct Looked {
  std::map<std::string, Dims> shapes;
  Macs macs;
};

Looked look(const ModelBuilder& model, const FixedDims& dims = {}) {
  const std::string bytes = model.bytes();
  const auto header = read_header(bytes, "m.onnx");
  EXPECT_TRUE(header.ok()) << header.status().message();
  Looked out;
  for (const auto& [name, shape] : shapes_of(*header, bytes, dims)) out.shapes[std::string(name)] = shape;
  out.macs = count_macs(*header, bytes, dims);
  return out;
}

// One operator on x[1,4,9,7].
Dims after(const std::string& type, const std::vector<std::string>& attributes = {},
           const std::vector<std::string>& more = {}) {
  ModelBuilder model;
  model.input("x", {1, 4, 9, 7});
  std::vector<std::string> inputs = {"x"};
  for (const std::string& weight : more) {
    std::string name = "w";  // not "w" + ...: GCC 12 warns of the copy that it inlines
    name += std::to_string(inputs.size());
    model.weight(Writer().raw(weight).bytes(pb::kTensorName, name).text());  // the last name counts
    inputs.push_back(name);
  }
  model.node(type, inputs, {"y"}, attributes).output("z", {});
  return look(model).shapes["y"];
}

TEST(Shapes, OfConvolutions) {
  EXPECT_THAT(after("Conv", {}, {weights("w", {6, 4, 3, 3})}), ElementsAre(1, 6, 7, 5));
  EXPECT_THAT(
      after("Conv", {ints("pads", {1, 0, 1, 2}), ints("strides", {2, 3})}, {weights("w", {6, 4, 3, 3})}),
      ElementsAre(1, 6, 5, 3));
  EXPECT_THAT(after("Conv", {ints("dilations", {2, 3})}, {weights("w", {6, 4, 3, 3})}),
              ElementsAre(1, 6, 5, 1));
  EXPECT_THAT(
      after("Conv", {text("auto_pad", "SAME_UPPER"), ints("strides", {2, 2})}, {weights("w", {6, 4, 3, 3})}),
      ElementsAre(1, 6, 5, 4));
  EXPECT_THAT(after("ConvTranspose",
                    {ints("strides", {2, 2}), ints("pads", {1, 1, 1, 1}), ints("output_padding", {1, 1}),
                     int_attribute("group", 2)},
                    {weights("w", {4, 3, 3, 3})}),
              ElementsAre(1, 6, 18, 14));
}

TEST(Shapes, OfPooling) {
  EXPECT_THAT(after("MaxPool", {ints("kernel_shape", {2, 2}), ints("strides", {2, 2})}),
              ElementsAre(1, 4, 4, 3));
  EXPECT_THAT(after("AveragePool",
                    {ints("kernel_shape", {2, 2}), ints("strides", {2, 2}), int_attribute("ceil_mode", 1)}),
              ElementsAre(1, 4, 5, 4));
  EXPECT_THAT(after("MaxPool", {ints("kernel_shape", {1, 1}), ints("strides", {4, 4}),
                                ints("pads", {0, 0, 3, 3}), int_attribute("ceil_mode", 1)}),
              ElementsAre(1, 4, 3, 3))
      << "the last window would start behind the picture";
  EXPECT_THAT(after("GlobalAveragePool"), ElementsAre(1, 4, 1, 1));
}

TEST(Shapes, OfWhatMovesElements) {
  EXPECT_THAT(after("Flatten"), ElementsAre(1, 252));
  EXPECT_THAT(after("Flatten", {int_attribute("axis", -1)}), ElementsAre(36, 7));
  EXPECT_THAT(after("Reshape", {}, {sizes("s", {0, -1, 7})}), ElementsAre(1, 36, 7));
  EXPECT_THAT(after("Transpose", {ints("perm", {0, 2, 3, 1})}), ElementsAre(1, 9, 7, 4));
  EXPECT_THAT(after("Transpose"), ElementsAre(7, 9, 4, 1));
  EXPECT_THAT(after("Concat", {int_attribute("axis", -1)}, {weights("w", {1, 4, 9, 2})}),
              ElementsAre(1, 4, 9, 9));
  EXPECT_THAT(after("Squeeze", {ints("axes", {0})}), ElementsAre(4, 9, 7));
  EXPECT_THAT(after("Unsqueeze", {}, {sizes("s", {-1, 0})}), ElementsAre(1, 1, 4, 9, 7, 1));
  EXPECT_THAT(after("Pad", {ints("pads", {0, 0, 1, 2, 0, 0, 3, 4})}), ElementsAre(1, 4, 13, 13));
  EXPECT_THAT(after("Slice", {}, {sizes("s", {2, -3}), sizes("e", {INT64_MAX, -1}), sizes("a", {2, 3})}),
              ElementsAre(1, 4, 7, 2));
  EXPECT_THAT(after("SpaceToDepth", {int_attribute("blocksize", 1)}), ElementsAre(1, 4, 9, 7));
  EXPECT_THAT(after("DepthToSpace", {int_attribute("blocksize", 2)}), ElementsAre(1, 1, 18, 14));
  EXPECT_THAT(after("ReduceMean", {ints("axes", {2, -1})}), ElementsAre(1, 4, 1, 1));
  EXPECT_THAT(after("ReduceMean", {ints("axes", {2, 3}), int_attribute("keepdims", 0)}), ElementsAre(1, 4));
}

TEST(Shapes, OfResizedPictures) {
  const std::string scales = tensor<float>("s", kFloat, {4}, {1, 1, 2, 1.5f});
  EXPECT_THAT(after("Upsample", {}, {scales}), ElementsAre(1, 4, 18, 10));
  EXPECT_THAT(after("Resize", {}, {weights("roi", {0}), scales}), ElementsAre(1, 4, 18, 10));
  EXPECT_THAT(after("Resize", {}, {weights("roi", {0}), weights("none", {0}), sizes("s", {1, 4, 20, 30})}),
              ElementsAre(1, 4, 20, 30));
}

TEST(Shapes, OfProductsAndSums) {
  EXPECT_THAT(after("MatMul", {}, {weights("w", {7, 5})}), ElementsAre(1, 4, 9, 5));
  EXPECT_THAT(after("Add", {}, {weights("w", {3, 1, 9, 1})}), ElementsAre(3, 4, 9, 7));
  EXPECT_THAT(after("Relu"), ElementsAre(1, 4, 9, 7));
}

// As exporters write x.view(x.size(0), -1).
TEST(Shapes, OfAReshapeWhoseShapeIsComputed) {
  ModelBuilder model;
  model.input("x", {"N", 4, 3, 3}).weight(tensor<std::int64_t>("zero", kInt64, {}, {0}));
  model.weight(sizes("axes", {0})).weight(sizes("rest", {-1})).weight(weights("w", {36, 5}));
  model.node("Shape", {"x"}, {"s"}).node("Gather", {"s", "zero"}, {"n"});
  model.node("Unsqueeze", {"n", "axes"}, {"n1"});
  model.node("Concat", {"n1", "rest"}, {"to"}, {int_attribute("axis", 0)});
  model.node("Reshape", {"x", "to"}, {"f"}).node("Gemm", {"f", "w"}, {"y"}).output("y", {"N", 5});
  const Looked looked = look(model);
  EXPECT_THAT(looked.shapes.at("f"), ElementsAre(1, 36));
  EXPECT_EQ(looked.macs.total, 36 * 5);
}

// Each operator doubles it: a model of 2 kB would take all memory.
TEST(Shapes, OfElementsThatMultiplyStayUnknown) {
  ModelBuilder model;
  model.input("x", {1, 3, 4, 4}).node("Shape", {"x"}, {"s0"});
  for (int i = 0; i < 60; ++i) {
    const std::string from = "s" + std::to_string(i);
    model.node("Concat", {from, from}, {"s" + std::to_string(i + 1)}, {int_attribute("axis", 0)});
  }
  model.node("Reshape", {"x", "s60"}, {"y"}).output("z", {});
  EXPECT_FALSE(look(model).shapes.contains("y"));
}

TEST(Shapes, OfWeightsOfAnImpossibleSizeStayUnknown) {
  Writer out;
  for (const std::int64_t size : {std::int64_t{3}, std::int64_t{1} << 62, std::int64_t{3}, std::int64_t{3}})
    out.varint(pb::kDims, static_cast<std::uint64_t>(size));
  const std::string huge = out.varint(pb::kDataType, 1).take();
  EXPECT_TRUE(after("ConvTranspose", {int_attribute("group", 8)}, {huge}).empty());
  EXPECT_TRUE(after("Concat", {int_attribute("axis", 1)}, {huge}).empty());
  ModelBuilder model;
  model.input("x", {1, std::int64_t{1} << 62, 4, 4})
      .node("Concat", {"x", "x"}, {"y"}, {int_attribute("axis", 1)});
  model.output("z", {});
  EXPECT_FALSE(look(model).shapes.contains("x") || look(model).shapes.contains("y"));
}

TEST(Shapes, SymbolicSizesAreFixedByName) {
  ModelBuilder model;
  model.input("x", {"N", 3, "H", ""}).weight(weights("w", {6, 3, 3, 3}));
  model.node("Conv", {"x", "w"}, {"y"}).output("y", {"N", 6, "h", "w"});
  EXPECT_FALSE(look(model).macs.total);
  EXPECT_EQ(look(model).macs.without_shape, 1);
  EXPECT_EQ(look(model, {{"H", 10}, {"x.3", 12}}).macs.total, 6 * 8 * 10 * 27);
}

TEST(Shapes, OfAnUnknownOperatorStayUnknown) {
  EXPECT_TRUE(after("NonZero").empty());
  EXPECT_TRUE(after("Conv", {ints("strides", {0, 1})}, {weights("w", {6, 4, 3, 3})}).empty());
  EXPECT_TRUE(after("Conv", {}, {weights("w", {6, 4, 30, 3})}).empty()) << "nothing is left";
  EXPECT_TRUE(after("Reshape", {}, {sizes("s", {INT64_MAX, -1})}).empty());
}

}  // namespace
}  // namespace sluice::onnx
