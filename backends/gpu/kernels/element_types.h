/* Element types of the host's tensors by number; C++ and the kernels share this list (valid OpenCL C). */
#ifndef SLUICE_GPU_ELEMENT_TYPES
#define SLUICE_GPU_ELEMENT_TYPES

#define TYPE_FLOAT32 0
#define TYPE_FLOAT16 1
#define TYPE_UINT8 2 /* and bool */
#define TYPE_INT8 3
#define TYPE_UINT16 4
#define TYPE_INT16 5
#define TYPE_INT32 6
#define TYPE_INT64 7

#endif
