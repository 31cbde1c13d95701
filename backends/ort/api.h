// The one way to include ONNX Runtime: its API is set by hand after the library was loaded (facts: mixing
// this with its automatic set-up in one program is a crash).
#pragma once

#ifndef ORT_API_MANUAL_INIT
#define ORT_API_MANUAL_INIT
#endif
#include <onnxruntime_cxx_api.h>
