// Controls of fake_opencl.cc, a library that is loaded in place of libOpenCL: kernels do nothing, buffers are
// host memory, and any call can be made to fail.
#pragma once

extern "C" {

// The `nth` call (from 1) of `function` from now on answers `error`, and so does every later one when
// `stays`.
void fake_opencl_fail(const char* function, int nth, int error, bool stays);
void fake_opencl_heal();
// Calls of `function` since the last fail or heal.
int fake_opencl_calls(const char* function);
// Objects that were made and not released.
int fake_opencl_live();
// The value that the newest context was given for this property; 0: none.
long fake_opencl_context_property(long name);
}
