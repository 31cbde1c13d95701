# Toolchain: Linux on aarch64 with Debian 12's libraries, built on x86-64. `tools/dev setup --aarch64` installs the
# compiler and makes the sysroot; what runs while building (protoc, Python) is the host's.
include(${CMAKE_CURRENT_LIST_DIR}/cache.cmake)

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++-12)
# Only those who mix objects of GCC 9 and 10 would want to know.
set(CMAKE_CXX_FLAGS_INIT -Wno-psabi)
set(CMAKE_SYSROOT ${SLUICE_CACHE}/aarch64/sysroot)

set(CMAKE_FIND_ROOT_PATH ${SLUICE_CACHE}/onnxruntime/include ${SLUICE_CACHE}/aarch64/onnxruntime)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${CMAKE_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${CMAKE_SYSROOT}/usr/share/pkgconfig)

# The processor that the sysroot's proc/cpuinfo describes; ONNX Runtime reads that file.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -cpu neoverse-n1 -L ${CMAKE_SYSROOT})
