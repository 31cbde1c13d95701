// quantize: float numbers -> integers of a quantised type, as ONNX's QuantizeLinear defines it:
// q = saturate(round half to even(x / scale) + zero_point), per tensor or per index of one dimension.
//
// inputs   tensor   float32 or float16, any shape and layout
// outputs  tensor   uint8, int8, uint16 or int16, the same shape and layout; its type carries scale and zero
//                   point. Where the plan inserts it before a plain integer input (int32 and int64 too):
//                   scale 1, zero point 0
// options  scale, zero_point, dtype, axis: default: what the next model's input says; what contradicts it is
//          an error
//          Where the plan inserts it, routes that need no conversion are copied
// drops    nothing
// thread   worker; several frames at once

#include <fmt/format.h>

#include "framework/node/node.h"
#include "inference/services.h"
#include "nodes/declare.h"
#include "nodes/pixels/linear_quant.h"
#include "nodes/preprocess_nodes.h"
#include "nodes/quantization.h"

namespace sluice {
namespace {

Result<std::vector<PortType>> infer_types(const TypeContext& context) {
  const std::vector<PortType> inputs = context.inputs(0);
  if (inputs.empty() || !inputs.front().tensor) return invalid("quantize needs a tensor");
  const TensorType& from = *inputs.front().tensor;
  if (from.dtype != DType::kFloat32 && from.dtype != DType::kFloat16) {
    return invalid(fmt::format("quantize takes float32 or float16, but its input is {}", from.text()));
  }
  const auto wanted = context.wanted_downstream();
  SLUICE_ASSIGN(Quantised q,
                resolve_quantization(context.options(), wanted.get(), "the next model's input", from.shape));
  auto to = std::make_shared<TensorType>(from);
  to->dtype = q.dtype;
  to->quant = std::move(q.params);
  PortType out = inputs.front();
  out.name = "tensor";
  out.tensor = std::move(to);
  return std::vector<PortType>{std::move(out)};
}

// Plain integers are rounded and saturated (contract section 2).
const QuantParams& params_of(const TensorType& type) {
  static const QuantParams plain{.scale = {1}, .zero_point = {0}, .axis = -1};
  return type.quant ? *type.quant : plain;
}

class Quantize : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Turns float numbers into integers of a quantised type.");
    d.input("tensor", PortKind::kTensor).help("float32 or float16.");
    d.output("tensor", PortKind::kTensor).help("The same shape, quantised.");
    declare_quantization(d);
    d.serial = false;
    d.infer_types = infer_types;
  }

  Status open(const OpenContext& context) override {
    if (auto* services = static_cast<InferenceServices*>(context.services))
      clipping_ = &services->add_clip_meter(context.node_id, context.routes[0].outputs.at(0).tensor->name);
    return {};
  }

  Status process(Context& context) override {
    const Tensor* in = context.input<Tensor>();
    if (!in) return failed("quantize got no tensor");
    SLUICE_ASSIGN(Packet packet, context.make());
    Tensor& out = *packet.edit<Tensor>();
    out.geometry = in->geometry;
    if (in->type->dtype == out.type->dtype) {
      copy_elements(*in, out);
      context.emit(std::move(packet));
      return {};
    }
    const QuantParams& params = params_of(*out.type);
    const auto view = pixels::channel_view(in->type->shape, params);
    SLUICE_ASSIGN(const std::uint64_t clipped, pixels::quantize_linear(in->data, in->type->dtype, view,
                                                                       params, out.type->dtype, out.data));
    if (clipping_) clipping_->add(clipped, view.outer * view.channels * view.inner);
    context.emit(std::move(packet));
    return {};
  }

  Status close() override {
    if (clipping_) clipping_->finish();
    return {};
  }

 private:
  ClipMeter* clipping_ = nullptr;  // the services'
};

}  // namespace

NodeDeclaration quantize_declaration() { return declare<Quantize>("quantize"); }

}  // namespace sluice
