// dequantize: integers of a quantised type -> float numbers, as ONNX's DequantizeLinear defines it:
// x = (q - zero_point) * scale, per tensor or per index of one dimension.
//
// inputs   tensor   uint8, int8, uint16 or int16, any shape and layout
// outputs  tensor   float32, the same shape and layout
// options  scale, zero_point, dtype, axis: default: what the input's type says (a model's output carries its
//          own); what contradicts it is an error
//          Where the plan inserts it, routes that need no conversion are copied
// drops    nothing
// thread   worker; several frames at once

#include <fmt/format.h>

#include "framework/node/node.h"
#include "nodes/declare.h"
#include "nodes/pixels/linear_quant.h"
#include "nodes/pixels/store.h"
#include "nodes/preprocess_nodes.h"
#include "nodes/quantization.h"

namespace sluice {
namespace {

Result<std::vector<PortType>> infer_types(const TypeContext& context) {
  const std::vector<PortType> inputs = context.inputs(0);
  if (inputs.empty() || !inputs.front().tensor) return invalid("dequantize needs a tensor");
  const TensorType& from = *inputs.front().tensor;
  if (!pixels::integer_range(from.dtype)) {
    return invalid(
        fmt::format("dequantize takes uint8, int8, uint16 or int16, but its input is {}", from.text()));
  }
  SLUICE_ASSIGN(const Quantised q, resolve_quantization(context.options(), &from, "the input", from.shape));
  if (q.dtype != from.dtype) {
    return invalid(fmt::format("option 'dtype' is {}, but the input is {}", name_of(q.dtype), from.text()));
  }
  auto to = std::make_shared<TensorType>(from);
  to->dtype = DType::kFloat32;
  to->quant.reset();
  PortType out = inputs.front();
  out.name = "tensor";
  out.tensor = std::move(to);
  return std::vector<PortType>{std::move(out)};
}

class Dequantize : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Turns integers of a quantised type into float numbers.");
    d.input("tensor", PortKind::kTensor).help("uint8, int8, uint16 or int16.");
    d.output("tensor", PortKind::kTensor).help("The same shape, float32.");
    declare_quantization(d);
    d.serial = false;
    d.infer_types = infer_types;
  }

  // Parameters are fixed per route: written ones only count where the input carries none.
  Status open(const OpenContext& context) override {
    for (const NodeRoute& route : context.routes) {
      const TensorType& from = *route.inputs.at(0).at(0).tensor;
      if (is_copied(route)) {
        routes_.emplace_back();
        continue;
      }
      SLUICE_ASSIGN(Quantised q, resolve_quantization(*context.options, &from, "the input", from.shape));
      routes_.push_back(std::move(q.params));
    }
    return {};
  }

  Status process(Context& context) override {
    const Tensor* in = context.input<Tensor>();
    if (!in) return failed("dequantize got no tensor");
    SLUICE_ASSIGN(Packet packet, context.make());
    Tensor& out = *packet.edit<Tensor>();
    out.geometry = in->geometry;
    if (!routes_[context.route()]) {
      copy_elements(*in, out);
      context.emit(std::move(packet));
      return {};
    }
    const QuantParams& params = *routes_[context.route()];
    const auto view = pixels::channel_view(in->type->shape, params);
    SLUICE_RETURN_IF_ERROR(pixels::dequantize_linear(in->data, in->type->dtype, view, params,
                                                     reinterpret_cast<float*>(out.data)));
    context.emit(std::move(packet));
    return {};
  }

 private:
  std::vector<std::optional<QuantParams>> routes_;  // none: copied
};

}  // namespace

NodeDeclaration dequantize_declaration() { return declare<Dequantize>("dequantize"); }

}  // namespace sluice
