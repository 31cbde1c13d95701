// OpenCL objects that release themselves.
#pragma once

#include <utility>

#include "backends/gpu/device/api.h"

namespace sluice::gpu {

// Owns one reference. The Api outlives it (it is never freed).
template <typename T, auto kRelease>
class Handle {
 public:
  Handle() = default;
  Handle(const Api& api, T value) : api_(&api), value_(value) {}
  Handle(Handle&& other) noexcept : api_(other.api_), value_(std::exchange(other.value_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(api_, other.api_);
    std::swap(value_, other.value_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (value_) (api_->*kRelease)(value_);
  }

  T get() const { return value_; }
  explicit operator bool() const { return value_ != nullptr; }

 private:
  const Api* api_ = nullptr;
  T value_ = nullptr;
};

using ContextHandle = Handle<cl_context, &Api::clReleaseContext>;
using Queue = Handle<cl_command_queue, &Api::clReleaseCommandQueue>;
using Buffer = Handle<cl_mem, &Api::clReleaseMemObject>;
using Program = Handle<cl_program, &Api::clReleaseProgram>;
using Kernel = Handle<cl_kernel, &Api::clReleaseKernel>;
using Event = Handle<cl_event, &Api::clReleaseEvent>;

}  // namespace sluice::gpu
