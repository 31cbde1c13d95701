#include "backends/gpu/device/external_memory.h"

#include <CL/cl_ext.h>

#include <string>

namespace sluice::gpu {
namespace {

// cl_qcom_dmabuf_host_ptr, of Qualcomm's cl_ext_qcom.h.
constexpr cl_uint kDmabufHostPointer = 0x411D;
struct DmabufHostPointer {
  cl_mem_ext_host_ptr kind;
  int descriptor;
  void* mapped;
};

using ImportMemory = cl_mem(CL_API_CALL*)(cl_context, cl_mem_flags, const cl_import_properties_arm*, void*,
                                          std::size_t, cl_int*);

std::string text_of(const Dmabuf& memory) {
  return "a dma-buf of " + std::to_string(memory.bytes) + " bytes";
}

// Consistency with the processor's caches is not asked for: the bytes are other devices' on both sides.
Result<ImportedDmabuf> import_arm(const Context& context, const Dmabuf& memory, cl_mem_flags flags) {
  const auto import = reinterpret_cast<ImportMemory>(
      context.api().clGetExtensionFunctionAddressForPlatform(context.device().platform, "clImportMemoryARM"));
  if (!import)
    return unavailable("'" + context.device().name +
                       "' has cl_arm_import_memory_dma_buf, but its driver gives no clImportMemoryARM");
  const cl_import_properties_arm properties[] = {CL_IMPORT_TYPE_ARM, CL_IMPORT_TYPE_DMA_BUF_ARM, 0};
  int descriptor = memory.descriptor;
  cl_int error = CL_SUCCESS;
  Buffer buffer(context.api(), import(context.get(), flags, properties, &descriptor, memory.bytes, &error));
  SLUICE_RETURN_IF_ERROR(context.checked(error, "clImportMemoryARM of " + text_of(memory)));
  return ImportedDmabuf{std::move(buffer), memory.bytes};
}

// The driver may touch this many bytes behind a buffer; 0 where it does not say.
std::size_t padding_of(const Context& context) {
  std::size_t padding = 0;
  const cl_int error = context.api().clGetDeviceInfo(
      context.device().id, CL_DEVICE_EXT_MEM_PADDING_IN_BYTES_QCOM, sizeof padding, &padding, nullptr);
  return error == CL_SUCCESS ? padding : 0;
}

Result<ImportedDmabuf> import_qualcomm(const Context& context, const Dmabuf& memory, cl_mem_flags flags) {
  const std::size_t padding = padding_of(context);
  if (memory.bytes <= padding)
    return unavailable(text_of(memory) + " is too small for '" + context.device().name + "', which keeps " +
                       std::to_string(padding) + " behind each buffer");
  const bool coherent = context.device().has_extension("cl_qcom_ext_host_ptr_iocoherent");
  DmabufHostPointer pointer{
      {kDmabufHostPointer, cl_uint(coherent ? CL_MEM_HOST_IOCOHERENT_QCOM : CL_MEM_HOST_UNCACHED_QCOM)},
      memory.descriptor,
      memory.mapped};
  cl_int error = CL_SUCCESS;
  const cl_mem_flags all = flags | CL_MEM_USE_HOST_PTR | CL_MEM_EXT_HOST_PTR_QCOM;
  const std::size_t bytes = memory.bytes - padding;
  Buffer buffer(context.api(), context.api().clCreateBuffer(context.get(), all, bytes,
                                                            static_cast<void*>(&pointer), &error));
  SLUICE_RETURN_IF_ERROR(context.checked(error, "clCreateBuffer of " + text_of(memory)));
  return ImportedDmabuf{std::move(buffer), bytes};
}

}  // namespace

Result<ImportedDmabuf> import_dmabuf(const Context& context, const Dmabuf& memory, cl_mem_flags flags) {
  const DeviceInfo& device = context.device();
  if (memory.bytes > device.max_allocation)
    return unavailable(text_of(memory) + " is more than '" + device.name + "' takes in one piece (" +
                       std::to_string(device.max_allocation) + ")");
  if (device.has_extension("cl_arm_import_memory_dma_buf")) return import_arm(context, memory, flags);
  if (device.has_extension("cl_qcom_dmabuf_host_ptr") && device.has_extension("cl_qcom_ext_host_ptr"))
    return import_qualcomm(context, memory, flags);
  return unavailable("'" + device.name +
                     "' takes no dma-bufs: it has neither cl_arm_import_memory_dma_buf nor "
                     "cl_qcom_dmabuf_host_ptr");
}

}  // namespace sluice::gpu
