#include "backends/htp/shared_memory.h"

#include <string>
#include <unordered_map>
#include <utility>

#include "inference/onnx/model_header.h"
#include "inference/onnx/wire.h"

namespace sluice::htp {
namespace {

namespace field = onnx::field;
using onnx::Writer;

// The session that the allocator is of, and what must outlive it.
struct Lender {
  std::shared_ptr<Provider> provider;
  Ort::Session session{nullptr};
};

// A model for a session that is never run: y = Shrink(x), which the NPU does not have, so that nothing is
// compiled.
std::string model_for_nothing() {
  const auto value = [](std::string_view name) {
    const std::string shape =
        Writer().bytes(field::kDimension, Writer().varint(field::kDimValue, 1).text()).take();
    const std::string tensor =
        Writer().varint(field::kElement, onnx::kFloat).bytes(field::kShape, shape).take();
    return Writer()
        .bytes(field::kValueName, name)
        .bytes(field::kValueType, Writer().bytes(field::kTensorType, tensor).text())
        .take();
  };
  const std::string node = Writer()
                               .bytes(field::kNodeInput, "x")
                               .bytes(field::kNodeOutput, "y")
                               .bytes(field::kOpType, "Shrink")
                               .take();
  const std::string graph = Writer()
                                .bytes(field::kNode, node)
                                .bytes(field::kGraphName, "lender")
                                .bytes(field::kInput, value("x"))
                                .bytes(field::kOutput, value("y"))
                                .take();
  constexpr std::uint64_t kIrVersion = 10, kOpset = 21;
  return Writer()
      .varint(field::kIrVersion, kIrVersion)
      .bytes(field::kOpset,
             Writer().bytes(field::kOpsetDomain, "").varint(field::kOpsetVersion, kOpset).text())
      .bytes(field::kGraph, graph)
      .take();
}

}  // namespace

Result<std::shared_ptr<ort::SharedMemory>> open_shared_memory(std::shared_ptr<Provider> provider) {
  ort::forget_warnings();
  try {
    auto lender = std::make_shared<Lender>();
    lender->provider = std::move(provider);
    const ort::Runtime& runtime = *lender->provider->runtime();
    const Ort::ConstEpDevice& device = lender->provider->device();
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);
    options.AppendExecutionProvider_V2(
        lender->provider->runtime()->env(), {device},
        std::unordered_map<std::string, std::string>{{"backend_type", "htp"}, {kSharedMemoryOption, "1"}});
    const std::string model = model_for_nothing();
    lender->session = Ort::Session(runtime.env(), model.data(), model.size(), options);
    // The provider announces it with the first session that asks for it.
    const OrtMemoryInfo* info =
        runtime.api().EpDevice_MemoryInfo(device, OrtDeviceMemoryType_HOST_ACCESSIBLE);
    if (!info) return unavailable("QNN's execution provider offers no shared memory");
    Ort::Allocator allocator(lender->session, info);
    return std::make_shared<ort::SharedMemory>(std::move(lender), std::move(allocator), info);
  } catch (const std::exception& error) {
    return unavailable("QNN's execution provider lends no shared memory (is libcdsprpc.so there?): " +
                       ort::explain(error.what()));
  }
}

}  // namespace sluice::htp
