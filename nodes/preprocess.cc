// preprocess: makes the tensor a model wants from a picture, in one pass: scale, convert, normalise,
// quantise, arrange.
//
// Normalised value = (pixel - mean) / std per channel, pixel 0..255. Every plane is sampled bilinearly at the
// target pixel's mapped point (half-pixel centres of that plane, no antialiasing), converted by the stream's
// matrix and range (else BT.709 limited from 720 lines up, BT.601 limited below) and clamped to 0..255.
// Rotation metadata is applied.
//
// inputs   frame    nv12, i420, i422, i444, bgr, rgb or gray, of any size; the size may change
// outputs  tensor   1xCxHxW (nchw) or 1xHxWxC (nhwc), C = 3 or 1; float32, float16, uint8, int8, uint16,
//                   int16. A quantised integer type is written as such, a plain one rounded half to even and
//                   saturated. Carries the geometry that maps its grid back to upright source pixels
// options  model; or width, height (px), layout (nchw), dtype (float32)
//          fit (stretch): stretch, letterbox, crop      color (rgb): rgb, bgr, gray
//          mean (0), std (1): one number or one per channel of the tensor, in pixel units
//          pad_value (0; 0..255): around a letterboxed picture, in pixel units, normalised like a pixel
//          device (auto): cpu; gpu: by backend `gpu`, in one kernel (exit 3 where there is none); auto is the
//          gpu where every reader is an infer node whose first backend is `gpu` (the plan says so) and the
//          tensor is not quantised, else the cpu. A gpu that was so chosen and is not there, or fails, leaves
//          the work to the cpu
//          gpu {device (auto)}: which OpenCL device, by name; inherited from `backends`, else the reader's
// drops    nothing
// thread   worker; own for the gpu, which is waited for. One frame at a time: the tables and the scratch of
// the current picture size belong to the node

#include <utility>
#include <vector>

#include "framework/core/log.h"
#include "framework/node/chosen_device.h"
#include "framework/node/node.h"
#include "inference/services.h"
#include "nodes/declare.h"
#include "nodes/device_scaler.h"
#include "nodes/pixels/scaler.h"
#include "nodes/preprocess_nodes.h"
#include "nodes/preprocess_target.h"

namespace sluice {
namespace {

// By the plan, not by the file.
bool chosen_for_gpu(const Options& options) {
  return options.text("device") == "auto" && options.has(kChosenDevice);
}

bool on_gpu(const Options& options) { return options.text("device") == "gpu" || chosen_for_gpu(options); }

std::string gpu_device(const Options& options) {
  const Options gpu(options.map("gpu"));
  return gpu.has("device") ? gpu.text("device") : "auto";
}

Result<pixels::PictureScaler> scaler_for(const Options& options, const TensorType& type) {
  SLUICE_ASSIGN(const pixels::Target target, preprocess_target(options, type));
  return pixels::PictureScaler::create(target);
}

Result<std::vector<PortType>> infer_types(const TypeContext& context) {
  const Options& options = context.options();
  SLUICE_ASSIGN(TensorType type, preprocess_type(context));
  SLUICE_RETURN_IF_ERROR(scaler_for(options, type).status());  // refuses what cannot be made
  PortType out;
  out.kind = PortKind::kTensor;
  out.payload = payload_type<Tensor>();
  out.name = "tensor";
  out.tensor = std::make_shared<const TensorType>(std::move(type));
  return std::vector<PortType>{std::move(out)};
}

// The next node's quantisation can be part of the one pass.
bool writes_itself(const TypeContext& context, FoldDirection direction, const TensorType& type) {
  if (direction != FoldDirection::kOutput || !pixels::integer_range(type.dtype)) return false;
  const Result<TensorType> own = preprocess_type(context);
  if (!own.ok() || own->shape != type.shape) return false;
  TensorType arranged = type;
  arranged.layout = own->layout;
  return scaler_for(context.options(), arranged).ok();
}

class Preprocess : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Scales, converts, normalises and quantises a picture into a model's input tensor in one pass.");
    d.input("frame", PortKind::kFrame).help("A picture in any pixel format.");
    d.output("tensor", PortKind::kTensor).help("The tensor, with the geometry back to source pixels.");
    d.option("model", OptionKind::kModel)
        .help("Takes size, layout, type and quantisation from this model's input.");
    d.option("width", OptionKind::kInteger)
        .in_unit("px")
        .range(1, 16384)
        .help("Of the tensor, without a model.");
    d.option("height", OptionKind::kInteger)
        .in_unit("px")
        .range(1, 16384)
        .help("Of the tensor, without a model.");
    d.option("layout", OptionKind::kChoice).any_of({"nchw", "nhwc"}).help("Default: the model's, else nchw.");
    d.option("dtype", OptionKind::kChoice)
        .any_of({"float32", "float16", "uint8", "int8", "uint16", "int16"})
        .help("Element type. Default: the model's, else float32.");
    d.option("fit", "stretch")
        .any_of({"stretch", "letterbox", "crop"})
        .help("How the picture fills the tensor.");
    d.option("color", "rgb").any_of({"rgb", "bgr", "gray"}).help("Order of the channels.");
    d.option("mean", OptionKind::kNumbers)
        .help("Subtracted, per channel or for all.")
        .in_unit("pixel value")
        .fallback = OptionValue{0.0};
    d.option("std", OptionKind::kNumbers)
        .help("Divided by, per channel or for all; above 0.")
        .in_unit("pixel value")
        .fallback = OptionValue{1.0};
    d.option("pad_value", 0.0).in_unit("pixel value").range(0, 255).help("Around a letterboxed picture.");
    d.option("device", "auto")
        .any_of({"auto", "cpu", "gpu"})
        .help(
            "Where it runs. auto: the gpu before float infer nodes whose first backend is gpu, else the "
            "cpu.");
    OptionDeclaration device;
    device.name = "device";
    device.fallback = OptionValue{std::string("auto")};
    d.option("gpu", OptionKind::kMap)
        .help("Of device gpu; inherited from `backends`.")
        .child(device.help("Which OpenCL device, by name."));
    d.choose_thread = [](const Options& options) {
      return on_gpu(options) ? ThreadKind::kOwn : ThreadKind::kWorker;
    };
    d.check_options = check_preprocess_options;
    d.infer_types = infer_types;
    d.fold = writes_itself;
  }

  Status open(const OpenContext& context) override {
    const Options& options = *context.options;
    if (!on_gpu(options)) return open_on_cpu(context);
    Status there = open_on_device(context);
    if (!chosen_for_gpu(options)) return there;
    node_ = context.node_id;
    // What keeps the readers from the gpu too, they say themselves, and then there are no frames.
    if (!there.ok()) {
      on_device_.clear();
      if (DeviceScaler::available(context.services).ok()) not_on_device_ = there;
    }
    return open_on_cpu(context);
  }

  Status process(Context& context) override {
    const Image* image = context.input<Image>();
    if (!image) return failed("preprocess got no picture");
    SLUICE_ASSIGN(Packet packet, context.make());
    SLUICE_RETURN_IF_ERROR(make(context.route(), *image, *packet.edit<Tensor>()));
    context.emit(std::move(packet));
    return {};
  }

  Status close() override {
    if (clipping_) clipping_->finish();
    return {};
  }

 private:
  Status open_on_device(const OpenContext& context) {
    const Options& options = *context.options;
    for (const NodeRoute& route : context.routes) {
      SLUICE_ASSIGN(const pixels::Target target, preprocess_target(options, *route.outputs.at(0).tensor));
      SLUICE_ASSIGN(DeviceScaler scaler, DeviceScaler::open(context.services, gpu_device(options), target));
      on_device_.push_back(std::move(scaler));
    }
    return {};
  }

  Status open_on_cpu(const OpenContext& context) {
    auto* services = static_cast<InferenceServices*>(context.services);
    for (const NodeRoute& route : context.routes) {
      const TensorType& type = *route.outputs.at(0).tensor;
      SLUICE_ASSIGN(pixels::PictureScaler scaler, scaler_for(*context.options, type));
      on_cpu_.push_back(std::move(scaler));
      if (services && type.quant && !clipping_ && on_device_.empty())
        clipping_ = &services->add_clip_meter(context.node_id, type.name);
    }
    return {};
  }

  void leave_device(const Status& why) {
    on_device_.clear();
    log_message(LogLevel::kWarning,
                "node '" + node_ + "': its tensors are made on the cpu from now on: " + why.message());
  }

  Status make(std::size_t route, const Image& image, Tensor& tensor) {
    if (!not_on_device_.ok()) leave_device(std::exchange(not_on_device_, {}));
    if (!on_device_.empty()) {
      const Status there = write(on_device_[route], image, tensor);
      // kInvalid: a picture that the cpu cannot take either.
      if (there.ok() || on_cpu_.empty() || there.code() == Code::kInvalid) return there;
      leave_device(there);
    }
    pixels::PictureScaler& scaler = on_cpu_[route];
    SLUICE_RETURN_IF_ERROR(write(scaler, image, tensor));
    if (clipping_ && scaler.elements() > 0) clipping_->add(scaler.clipped(), scaler.elements());
    return {};
  }

  template <typename Scaler>
  static Status write(Scaler& scaler, const Image& image, Tensor& tensor) {
    SLUICE_RETURN_IF_ERROR(scaler.run(image, tensor.data));
    tensor.geometry = scaler.geometry();
    return {};
  }

  std::string node_;
  Status not_on_device_;  // why the device that the plan chose was left before the first frame
  // By route. Both: the plan chose the device, and the cpu takes over when it fails.
  std::vector<pixels::PictureScaler> on_cpu_;
  std::vector<DeviceScaler> on_device_;
  // The services'; of all routes that are quantised. The device counts nothing: unknown there.
  ClipMeter* clipping_ = nullptr;
};

}  // namespace

NodeDeclaration preprocess_declaration() { return declare<Preprocess>("preprocess"); }

}  // namespace sluice
