// Every ONNX operator test of the operators that the backend lists, in float32 and with float16 storage. The
// refused ones are the committed list.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <map>
#include <set>

#include "tests/backends/gpu/onnx_case.h"

namespace sluice::testing {
namespace {

// Issue and README; the table of backends/gpu/ops/operators.cc has a few more.
const std::set<std::string> kOperators = {"Conv",
                                          "ConvTranspose",
                                          "MaxPool",
                                          "AveragePool",
                                          "GlobalAveragePool",
                                          "GlobalMaxPool",
                                          "Relu",
                                          "PRelu",
                                          "LeakyRelu",
                                          "Elu",
                                          "Clip",
                                          "Sigmoid",
                                          "HardSigmoid",
                                          "HardSwish",
                                          "Tanh",
                                          "Gelu",
                                          "Erf",
                                          "Exp",
                                          "Sqrt",
                                          "Abs",
                                          "Neg",
                                          "Reciprocal",
                                          "Floor",
                                          "Ceil",
                                          "Add",
                                          "Sub",
                                          "Mul",
                                          "Div",
                                          "Pow",
                                          "Min",
                                          "Max",
                                          "Softmax",
                                          "LogSoftmax",
                                          "Concat",
                                          "Split",
                                          "Slice",
                                          "Reshape",
                                          "Flatten",
                                          "Squeeze",
                                          "Unsqueeze",
                                          "Transpose",
                                          "Identity",
                                          "Cast",
                                          "Pad",
                                          "Resize",
                                          "Upsample",
                                          "Gemm",
                                          "MatMul",
                                          "BatchNormalization",
                                          "InstanceNormalization",
                                          "LayerNormalization",
                                          "ReduceMean",
                                          "ReduceSum",
                                          "ReduceMax",
                                          "DepthToSpace",
                                          "SpaceToDepth",
                                          "QuantizeLinear",
                                          "DequantizeLinear",
                                          "Log",
                                          "Round",
                                          "Expand",
                                          "ReduceMin"};

constexpr double kTolerance = 1e-4;
constexpr double kHalfTolerance = 1e-2;

std::set<std::string> committed_refusals() {
  std::set<std::string> out;
  std::ifstream file("tests/backends/gpu/refused_cases.txt");
  for (std::string line; std::getline(file, line);)
    if (!line.empty() && line[0] != '#') out.insert(line.substr(0, line.find(' ')));
  return out;
}

enum class Verdict { kPassed, kRefused, kWrong };

Verdict judge(const OnnxCase& test, std::string& why, const Loaded::Options& options = {},
              double tolerance = kTolerance) {
  auto loaded = Loaded::load(test.model, Where::kGpu, options);
  if (!loaded.ok()) {
    why = loaded.status().message();
    return Verdict::kRefused;
  }
  const auto outputs = loaded->run(test.inputs);
  if (!outputs.ok()) {
    why = outputs.status().message();
    return Verdict::kWrong;
  }
  for (std::size_t i = 0; i < outputs->size(); ++i)
    if (why = difference((*outputs)[i], test.outputs[i], tolerance); !why.empty()) return Verdict::kWrong;
  return Verdict::kPassed;
}

struct Counts {
  int cases = 0, passed = 0, refused = 0;
};

void print_table(const std::map<std::string, Counts>& table, const Counts& all) {
  std::cout << std::left << std::setw(24) << "operator" << std::right << std::setw(8) << "cases"
            << std::setw(8) << "passed" << std::setw(8) << "refused" << '\n';
  const auto row = [](const std::string& name, const Counts& counts) {
    std::cout << std::left << std::setw(24) << name << std::right << std::setw(8) << counts.cases
              << std::setw(8) << counts.passed << std::setw(8) << counts.refused << '\n';
  };
  for (const auto& [name, counts] : table) row(name, counts);
  row("all", all);
}

// As it stands (every input known only at run time) and as models have it (parameters are constants): one of
// them must run on the GPU with all its nodes, none may be wrong.
TEST(GpuNodeCases, AllButTheListedPass) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  const auto cases = read_cases("data/onnx-testdata/node", kOperators);
  ASSERT_GT(cases.size(), 150u) << "the operator tests are missing: run tools/dev setup";
  std::map<std::string, Counts> table;
  Counts all;
  std::set<std::string> refused;
  for (const OnnxCase& test : cases) {
    std::string why, why_constant;
    const Verdict as_is = judge(test, why);
    const Verdict constant = test.inputs.size() > 1 ? judge(with_constants(test), why_constant) : as_is;
    EXPECT_NE(as_is, Verdict::kWrong) << test.name << ": " << why;
    EXPECT_NE(constant, Verdict::kWrong) << test.name << " with constants: " << why_constant;
    const bool passed = as_is == Verdict::kPassed || constant == Verdict::kPassed;
    const bool denied = as_is == Verdict::kRefused && constant == Verdict::kRefused;
    for (Counts* counts : {&table[*test.operators.begin()], &all}) {
      ++counts->cases;
      counts->passed += passed ? 1 : 0;
      counts->refused += denied ? 1 : 0;
    }
    if (!denied) continue;
    refused.insert(test.name);
    EXPECT_TRUE(committed_refusals().contains(test.name)) << test.name << " is refused: " << why;
  }
  print_table(table, all);
  for (const std::string& name : committed_refusals())
    EXPECT_TRUE(refused.contains(name)) << name << " runs now: take it out of refused_cases.txt";
  EXPECT_GE(all.passed, (all.cases * 95 + 99) / 100);
}

// A number on the other side of a jump is right in float16 and far from float32's; and large ones (10001) are
// not in float16.
bool not_comparable(const OnnxCase& test) {
  if (test.name.ends_with("large_number")) return true;
  static const std::set<std::string> kJumps = {"Floor", "Ceil", "Round", "Cast", "QuantizeLinear"};
  return std::ranges::any_of(test.operators, [](const std::string& op) { return kJumps.contains(op); });
}

TEST(GpuNodeCases, WithFloat16StorageTheyAreWithinItsTolerance) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  const auto refused = committed_refusals();
  std::set<std::string> seen;
  for (const OnnxCase& test : read_cases("data/onnx-testdata/node", kOperators)) {
    if (refused.contains(test.name) || not_comparable(test)) continue;
    std::string why;
    const OnnxCase& asked = test.inputs.size() > 1 ? with_constants(test) : test;
    if (judge(asked, why, {{"precision", "fp16"}}, kHalfTolerance) == Verdict::kPassed)
      seen.insert(test.operators.begin(), test.operators.end());
    else
      ADD_FAILURE() << test.name << ": " << why;
  }
  EXPECT_GE(seen.size(), 55u) << "operators";
}

}  // namespace
}  // namespace sluice::testing
