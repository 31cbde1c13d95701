# preprocess, quantize, dequantize, and the pixel engine under them. Sets SLUICE_PRE_NODES.
set(SLUICE_PRE_NODES
    dequantize.cc device_scaler.cc preprocess.cc preprocess_nodes.cc preprocess_target.cc quantization.cc quantize.cc
    pixels/color.cc pixels/fit.cc pixels/kernels.cc pixels/kernels_plain.cc pixels/linear_quant.cc
    pixels/placement.cc pixels/recipe.cc pixels/scaler.cc pixels/store.cc pixels/taps.cc pixels/transpose.cc)

# The inner loops rely on the compiler's vectoriser, whatever the build type (but debug builds stay debuggable).
set(optimise "$<$<NOT:$<CONFIG:Debug>>:-O3>")
set_source_files_properties(pixels/kernels_plain.cc pixels/linear_quant.cc pixels/transpose.cc
                            PROPERTIES COMPILE_OPTIONS "${optimise}")
# Beside the plain set, one for AVX2, chosen at run time. (AVX-512 was measured: 0-5 % on top, not worth a third set.)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND SLUICE_PRE_NODES pixels/kernels_avx2.cc)
  set_source_files_properties(pixels/kernels_avx2.cc PROPERTIES COMPILE_OPTIONS "${optimise};-mavx2")
endif()
unset(optimise)
