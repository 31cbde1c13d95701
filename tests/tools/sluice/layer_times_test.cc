// Profiles as ONNX Runtime and QNN write them, and what to do about what is slow.
#include "tools/sluice/layer_times.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/sluice/remedies.h"

namespace sluice::cli {
namespace {

using ::testing::HasSubstr;

constexpr const char* kOrt = R"([
{"cat":"Session","name":"model_run","ph":"X","dur":9000,"ts":1,"args":{}},
{"cat":"Node","name":"a_fence_before","ph":"X","dur":500,"ts":1,"args":{"op_name":"Conv"}},
{"cat":"Node","name":"a_kernel_time","ph":"X","dur":3000,"ts":1,"args":{"op_name":"Conv","node_index":"0",
 "input_type_shape":[{"float":[1,32,8,8]},{"float":[32,32,3,3]}],"output_type_shape":[{"float":[1,32,8,8]}]}},
{"cat":"Node","name":"a_kernel_time","ph":"X","dur":1000,"ts":1,"args":{"op_name":"Conv","node_index":"0"}},
{"cat":"Node","name":"b_kernel_time","ph":"X","dur":6000,"ts":1,"args":{"op_name":"Resize","node_index":"1"}}
])";

TEST(LayerTimes, OrtEventsBecomeMeansLongestFirst) {
  const auto layers = read_ort_profile(kOrt);
  ASSERT_TRUE(layers.ok()) << layers.status().message();
  ASSERT_EQ(layers->size(), 2u);
  EXPECT_EQ((*layers)[0].name, "b");
  EXPECT_EQ((*layers)[0].type, "Resize");
  EXPECT_DOUBLE_EQ((*layers)[0].ms, 6);
  EXPECT_EQ((*layers)[1].name, "a");
  EXPECT_DOUBLE_EQ((*layers)[1].ms, 2);
  EXPECT_DOUBLE_EQ((*layers)[1].share, 0.25);
  ASSERT_EQ((*layers)[1].inputs.size(), 2u);
  EXPECT_EQ((*layers)[1].inputs[1].dims, (std::vector<std::int64_t>{32, 32, 3, 3}));
}

TEST(LayerTimes, WhatIsNoProfileIsRefused) {
  EXPECT_THAT(read_ort_profile("[").status().message(), HasSubstr("cannot be read"));
  EXPECT_THAT(read_ort_profile("[]").status().message(), HasSubstr("names no layer"));
  EXPECT_THAT(read_ort_profile(R"([1, {"cat":"Node","name":"x_kernel_time"}])").status().message(),
              HasSubstr("cannot be read"));
  EXPECT_THAT(read_qnn_profile("a,b,c\n").status().message(), HasSubstr("no cycles"));
}

TEST(LayerTimes, GpuTimesAreOfOperatorsLongestFirst) {
  const auto layers = read_gpu_profile("250,a, with a comma\n500,b\n\nno number,c\n50,\n200,b\n");
  ASSERT_TRUE(layers.ok()) << layers.status().message();
  ASSERT_EQ(layers->size(), 3U);
  EXPECT_EQ((*layers)[0].name, "b");  // of two parts of the model
  EXPECT_DOUBLE_EQ((*layers)[0].ms, 0.7);
  EXPECT_DOUBLE_EQ((*layers)[0].share, 0.7);
  EXPECT_EQ((*layers)[1].name, "a, with a comma");
  EXPECT_EQ((*layers)[2].name, "inputs and outputs");
  EXPECT_THAT(read_gpu_profile("x\n").status().message(), HasSubstr("no times"));
}

TEST(LayerTimes, QnnCyclesAreSummedPerOperator) {
  const auto layers = read_qnn_profile(
      "Msg Timestamp,Message,Time,Unit of Measurement,Timing Source,Event Level,Event Identifier\n"
      "0,BACKEND,900,CYCLES,BACKEND,ROOT,Accelerator (execute) time (cycles)\n"
      "0,NODE,300,CYCLES,BACKEND,SUB-EVENT,conv_token_1:OpId_21 (cycles)\n"
      "0,NODE,100,CYCLES,BACKEND,SUB-EVENT,OpId_22 (cycles)\n"
      "0,NODE,x,CYCLES,BACKEND,SUB-EVENT,broken:OpId_23 (cycles)\n"
      "0,NODE,500,CYCLES,BACKEND,SUB-EVENT,conv_token_1:OpId_21 (cycles)");
  ASSERT_TRUE(layers.ok()) << layers.status().message();
  ASSERT_EQ(layers->size(), 2u);
  EXPECT_EQ((*layers)[0].name, "conv_token_1");
  EXPECT_DOUBLE_EQ((*layers)[0].cycles, 400);
  EXPECT_DOUBLE_EQ((*layers)[0].share, 0.8);
  EXPECT_DOUBLE_EQ((*layers)[0].ms, 0);
}

LayerTime added_by_the_provider(std::string name) {
  LayerTime out;
  out.name = std::move(name);
  return out;
}

LayerTime layer(std::string type, std::string dtype = "float", std::vector<std::int64_t> kernel = {}) {
  LayerTime out;
  out.type = std::move(type);
  out.inputs = {{dtype, {1, 3, 8, 8}}};
  if (!kernel.empty()) out.inputs.push_back({dtype, std::move(kernel)});
  return out;
}

TEST(Remedies, EachKindOfLayerHasItsOwn) {
  EXPECT_THAT(remedy_for(layer("BatchNormalization"), "cpu"), HasSubstr("unfused batch normalisation"));
  EXPECT_THAT(remedy_for(layer("Sigmoid"), "htp"), HasSubstr("costly activation"));
  EXPECT_THAT(remedy_for(layer("Transpose"), "htp"), HasSubstr("one layout"));
  EXPECT_THAT(remedy_for(layer("Resize"), "htp"), HasSubstr("nearest"));
  EXPECT_THAT(remedy_for(layer("QuantizeLinear"), "cpu"), HasSubstr("--io quantized"));
  EXPECT_THAT(remedy_for(layer("Gemm"), "cpu"), HasSubstr("dense layer in float"));
  EXPECT_THAT(remedy_for(layer("QLinearConv", "uint16"), "cpu"), HasSubstr("--scheme mixed"));
  EXPECT_THAT(remedy_for(layer("Conv", "float", {32, 3, 3, 3}), "cpu"), HasSubstr("fewer than 8 channels"));
  EXPECT_THAT(remedy_for(layer("Conv", "float", {32, 32, 3, 3}), "cpu"), HasSubstr("depthwise"));
  EXPECT_THAT(remedy_for(layer("Conv", "float", {32, 1, 3, 3}), "cpu"), HasSubstr("float arithmetic"));
  EXPECT_THAT(remedy_for(layer("Clip"), "htp"), HasSubstr("float arithmetic"));
  EXPECT_THAT(remedy_for(added_by_the_provider("conv_part"), "htp"), HasSubstr("several operators"));
  EXPECT_THAT(remedy_for(layer("MaxPool", "uint8"), "cpu"), HasSubstr("none known"));
  EXPECT_THAT(remedy_for(layer("QLinearSoftmax", "uint8"), "cpu"), HasSubstr("softmax"));
  EXPECT_THAT(remedy_for(layer("FusedGemm"), "cpu"), HasSubstr("dense layer in float"));
  EXPECT_THAT(remedy_for(layer("ReorderOutput"), "cpu"), HasSubstr("channels in blocks"));
  EXPECT_THAT(remedy_for(layer("Gather"), "htp"), HasSubstr("look-up"));
  EXPECT_THAT(remedy_for(added_by_the_provider("Transpose_token_0"), "htp"), HasSubstr("channels last"));
  EXPECT_THAT(remedy_for(added_by_the_provider("Output OpId_3"), "htp"), HasSubstr("out of the NPU"));
}

// `sluice quantize` has done its part there already.
TEST(Remedies, AQuantisedOperatorThatIsComputedInFloatIsNotToBeQuantised) {
  LayerTime conv = layer("Conv", "float", {32, 1, 3, 3});
  conv.quantised = "uint16";
  EXPECT_THAT(remedy_for(conv, "cpu"), HasSubstr("16-bit integers, which the CPU computes in float"));
  conv.quantised = "uint8";
  EXPECT_THAT(remedy_for(conv, "cpu"), HasSubstr("no integer form of it"));
  LayerTime gemm = layer("Gemm");
  gemm.quantised = "uint8";
  EXPECT_THAT(remedy_for(gemm, "htp"), HasSubstr("no integer form of it"));
  LayerTime edge = layer("QuantizeLinear");
  edge.outputs = {{"uint16", {1, 3, 8, 8}}};
  EXPECT_THAT(remedy_for(edge, "cpu"), HasSubstr("16-bit integers, which the CPU computes in float"));
  EXPECT_THAT(remedy_for(edge, "htp"), HasSubstr("--io quantized"));
}

}  // namespace
}  // namespace sluice::cli
