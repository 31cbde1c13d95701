// The one way to include ONNX Runtime in the plugin: its API comes from the program that loads us.
#pragma once

#ifndef ORT_API_MANUAL_INIT
#define ORT_API_MANUAL_INIT
#endif
#include <onnxruntime_cxx_api.h>
