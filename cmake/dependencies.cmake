include(cmake/cache.cmake)  # SLUICE_CACHE
# What is of one architecture only lies apart from what any build uses.
set(SLUICE_TARGET_CACHE "${SLUICE_CACHE}")
if(CMAKE_CROSSCOMPILING)
  string(APPEND SLUICE_TARGET_CACHE "/${CMAKE_SYSTEM_PROCESSOR}")
endif()

if(SLUICE_SANITIZE STREQUAL "thread")
  # Debian's oneTBB is not built for ThreadSanitizer and makes it report races that are none.
  set(TBB_ROOT "${SLUICE_CACHE}/tbb-tsan")
  list(PREPEND CMAKE_PREFIX_PATH "${TBB_ROOT}")
endif()
find_package(TBB 2021.6 REQUIRED)
find_package(yaml-cpp 0.7 REQUIRED)
find_package(spdlog 1.9 REQUIRED)
find_package(fmt REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(nlohmann_json 3.10 REQUIRED)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(OpenCV 4.5 REQUIRED COMPONENTS core imgproc highgui)
pkg_check_modules(LIBAV REQUIRED IMPORTED_TARGET libavcodec libavformat libavutil libswscale)

# The quantiser reads and writes models (onnx, on protobuf) and arrays (libzip).
find_package(Protobuf REQUIRED)
find_package(ONNX REQUIRED)
pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip)

# ONNX Runtime is loaded at run time (dlopen): only its headers are needed to build, and the library's place is
# remembered as the default to load. A system installation wins.
set(ONNXRUNTIME_ROOT "$ENV{ONNXRUNTIME_ROOT}" CACHE PATH "An ONNX Runtime installation (include/, lib/)")
pkg_check_modules(SYSTEM_ONNXRUNTIME QUIET libonnxruntime>=1.29)
find_path(ONNXRUNTIME_INCLUDE onnxruntime_cxx_api.h
          HINTS ${ONNXRUNTIME_ROOT}/include ${ONNXRUNTIME_ROOT}/include/onnxruntime
                ${SYSTEM_ONNXRUNTIME_INCLUDE_DIRS} ${SYSTEM_ONNXRUNTIME_INCLUDEDIR}
                ${SLUICE_CACHE}/onnxruntime/include
          PATH_SUFFIXES onnxruntime onnxruntime/core/session REQUIRED)
find_library(ONNXRUNTIME_LIBRARY NAMES onnxruntime libonnxruntime.so.1
             HINTS ${ONNXRUNTIME_ROOT}/lib ${SYSTEM_ONNXRUNTIME_LIBDIR} ${SLUICE_TARGET_CACHE}/onnxruntime/lib REQUIRED)
add_library(onnxruntime_headers INTERFACE)
target_include_directories(onnxruntime_headers SYSTEM INTERFACE ${ONNXRUNTIME_INCLUDE})
