# Toolchain: Android on aarch64, through the NDK's own. NOT VERIFIED: nobody has built or run Sluice with it, and the
# libraries that Sluice links (oneTBB, yaml-cpp, spdlog, FFmpeg, OpenCV) have to be built for Android first.
if(NOT DEFINED ENV{ANDROID_NDK_ROOT})
  message(FATAL_ERROR "ANDROID_NDK_ROOT is not set; it names the folder of an Android NDK (r26 or newer)")
endif()

set(ANDROID_ABI arm64-v8a)
set(ANDROID_PLATFORM android-29)  # glob() and posix_spawn() came with 28
set(ANDROID_STL c++_shared)       # one C++ library for libsluice and its modules
include($ENV{ANDROID_NDK_ROOT}/build/cmake/android.toolchain.cmake)
