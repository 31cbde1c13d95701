#include "backends/htp/kept_away.h"

#include <vector>

#include "inference/onnx/model_header.h"
#include "inference/onnx/rewrite.h"

namespace sluice::htp {
namespace {

using onnx::Bytes;
using onnx::Field;
using onnx::Writer;
namespace field = onnx::field;

// Of onnx.proto's AttributeProto.
constexpr std::uint32_t kAttributeType = 20;
constexpr std::uint64_t kFloatType = 1, kGraphType = 5;

std::string inside(Bytes tensor, Bytes branch) {
  return tensor.empty() ? std::string() : std::string(tensor) + "/sluice/" + std::string(branch);
}

// The provider has no Shrink; by nothing it changes nothing, and it is in the branch that is never taken.
std::string shrink(const std::string& from, const std::string& to) {
  Writer none;
  none.bytes(field::kAttributeName, "lambd")
      .raw(std::string("\x15\0\0\0\0", 5))
      .varint(kAttributeType, kFloatType);
  return Writer()
      .bytes(field::kNodeInput, from)
      .bytes(field::kNodeOutput, to)
      .bytes(field::kOpType, "Shrink")
      .bytes(field::kAttribute, none.text())
      .take();
}

std::string branch(Bytes node, Bytes name, bool taken) {
  Writer graph, outputs;
  std::string first;
  const std::string inner = onnx::rewrite(node, [&](const Field& f, Writer& writer) {
    if (f.number != field::kNodeOutput) return false;
    std::string output = inside(f.bytes, name);
    if (!output.empty()) outputs.bytes(field::kOutput, Writer().bytes(field::kValueName, output).text());
    if (first.empty() && !taken) {
      first = output;
      output += "/unshrunk";
    }
    writer.bytes(f.number, output);
    return true;
  });
  graph.bytes(field::kNode, inner);
  if (!taken) graph.bytes(field::kNode, shrink(first + "/unshrunk", first));
  graph.bytes(field::kGraphName, name).raw(outputs.text());
  return Writer()
      .bytes(field::kAttributeName, name)
      .bytes(field::kAttributeGraph, graph.text())
      .varint(kAttributeType, kGraphType)
      .take();
}

std::string operator_node(Bytes type, const std::vector<Bytes>& from, const std::string& to) {
  Writer out;
  for (const Bytes input : from) out.bytes(field::kNodeInput, input);
  out.bytes(field::kNodeOutput, to).bytes(field::kOpType, type);
  return Writer().bytes(field::kNode, out.text()).take();
}

std::string true_weight(const std::string& name) {
  Writer out;
  out.varint(field::kDataType, onnx::kBoolean)
      .bytes(field::kTensorName, name)
      .bytes(field::kRawData, std::string(1, '\1'));
  return Writer().bytes(field::kInitializer, out.text()).take();
}

// True, which no optimiser knows: the second of two, because the input is one tensor. The provider has no
// sequences, and a Cast would be its own. The input is read here because it does not see what branches read.
std::string decide(Bytes input, const std::string& name) {
  const std::string sequence = name + "/sequence", one = name + "/one", yes = name + "/true",
                    both = name + "/both";
  return true_weight(yes) + operator_node("SequenceConstruct", {input}, sequence) +
         operator_node("SequenceLength", {sequence}, one) +
         operator_node("SequenceConstruct", {yes, yes}, both) +
         operator_node("SequenceAt", {both, one}, name);
}

}  // namespace

std::string kept_away(Bytes node) {
  Bytes input, output;
  Writer kept;
  onnx::Reader reader(node);
  for (Field f; reader.next(f);) {
    if (f.number == field::kNodeInput && input.empty()) input = f.bytes;
    if (f.number == field::kNodeOutput && output.empty()) output = f.bytes;
    if (f.number == field::kNodeName || (f.number == field::kNodeOutput && !f.bytes.empty())) kept.raw(f.raw);
  }
  const std::string taken = inside(output, "taken");
  kept.bytes(field::kNodeInput, taken)
      .bytes(field::kOpType, "If")
      .bytes(field::kAttribute, branch(node, "then_branch", true))
      .bytes(field::kAttribute, branch(node, "else_branch", false));
  return decide(input, taken) + Writer().bytes(field::kNode, kept.text()).take();
}

}  // namespace sluice::htp
