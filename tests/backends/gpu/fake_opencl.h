// Controls of fake_opencl.cc, a library that is loaded in place of libOpenCL: kernels do nothing, buffers are
// host memory, and any call can be made to fail.
#pragma once

#include <cstddef>

extern "C" {

// The `nth` call (from 1) of `function` from now on answers `error`, and so does every later one when
// `stays`.
void fake_opencl_fail(const char* function, int nth, int error, bool stays);
void fake_opencl_fail_too(const char* function, int nth, int error, bool stays);  // beside those set before
void fake_opencl_heal();
// Calls of `function` since the last fail or heal.
int fake_opencl_calls(const char* function);
// Objects that were made and not released.
int fake_opencl_live();
// Device memory that the newest value of the kernels' argument `index` is; null: it is none.
const unsigned char* fake_opencl_argument(unsigned index);
// What clImportMemoryARM or clCreateBuffer (Qualcomm's) was handed last; descriptor -1: nothing yet.
struct FakeImport {
  int descriptor = -1;
  void* mapped = nullptr;  // Qualcomm's only
  size_t bytes = 0;
  unsigned policy = 0;  // of the host's caches; Qualcomm's only
};
const FakeImport* fake_opencl_import();
// The different options that programs were built with since the last call, a line each; valid until the next.
const char* fake_opencl_build_options();
// The value that the newest context was given for this property; 0: none.
long fake_opencl_context_property(long name);
}
