// Pictures on an OpenCL device that fails: the right Status, nothing leaked; a lost one is opened again,
// once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "backends/gpu/device/errors.h"
#include "backends/gpu/pictures/device_pictures.h"
#include "tests/backends/gpu/fake_opencl.h"
#include "tests/backends/gpu/fake_run.h"

namespace sluice::gpu {
namespace {

using ::testing::HasSubstr;

// 4x2 gray to 2x1.
PictureRecipe small_recipe() {
  PictureRecipe recipe;
  recipe.width = recipe.columns = 2;
  recipe.height = recipe.rows = recipe.channels = 1;
  recipe.plane_count = recipe.component_count = 1;
  recipe.planes[0] = {.row_bytes = 4, .rows = 2, .along = {{0, 0.5F}, {2, 0.5F}}, .across = {{0, 0.5F}}};
  return recipe;
}

Status one_picture(DevicePictures& maker) {
  std::array<std::uint8_t, 8> samples{};
  Image image;
  image.type = {PixelFormat::kGray, 4, 2, {}, 0};
  image.planes[0] = samples.data();
  image.strides[0] = 4;
  std::array<std::byte, 8> out{};
  return maker.run(image, out.data());
}

Status whole_way() {
  SLUICE_ASSIGN(const auto maker, DevicePictures::open(fake(), "auto"));
  SLUICE_RETURN_IF_ERROR(maker->prepare(small_recipe()));
  return one_picture(*maker);
}

TEST(GpuPicturesFault, AtEachCallIsAStatusAndLeavesNothingBehind) {
  for (const char* function :
       {"clGetPlatformIDs", "clCreateContext", "clCreateCommandQueue", "clCreateBuffer",
        "clCreateProgramWithSource", "clBuildProgram", "clCreateKernel", "clSetKernelArg",
        "clEnqueueWriteBuffer", "clEnqueueNDRangeKernel", "clEnqueueReadBuffer"}) {
    fake_opencl_heal();
    ASSERT_TRUE(whole_way().ok());
    const int calls = fake_opencl_calls(function);
    ASSERT_GT(calls, 0) << function;
    for (const cl_int error : {CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_INVALID_VALUE, CL_DEVICE_NOT_AVAILABLE})
      for (int nth = 1; nth <= calls; ++nth) {
        SCOPED_TRACE(std::string(function) + " call " + std::to_string(nth) + ": " + name_of_error(error));
        fake_opencl_fail(function, nth, error, true);
        const Status status = whole_way();
        EXPECT_EQ(fake_opencl_live(), 0);
        ASSERT_FALSE(status.ok());
        EXPECT_THAT(status.message(), HasSubstr(name_of_error(error)));
      }
  }
  fake_opencl_heal();
}

TEST(GpuPicturesFault, ALostDeviceIsOpenedAgainForTheSamePicture) {
  fake_opencl_heal();
  const auto maker = DevicePictures::open(fake(), "auto").value();
  ASSERT_TRUE(maker->prepare(small_recipe()).ok());
  ASSERT_TRUE(one_picture(*maker).ok());
  fake_opencl_fail("clEnqueueNDRangeKernel", 1, CL_DEVICE_NOT_AVAILABLE, false);
  EXPECT_TRUE(one_picture(*maker).ok());
  EXPECT_EQ(fake_opencl_calls("clCreateContext"), 1);
  EXPECT_EQ(fake_opencl_calls("clEnqueueNDRangeKernel"), 2);
  fake_opencl_heal();
  EXPECT_TRUE(one_picture(*maker).ok());
  EXPECT_EQ(fake_opencl_calls("clCreateContext"), 0);
}

TEST(GpuPicturesFault, AFailedPictureWaitsForWhatIsUnderWay) {
  fake_opencl_heal();
  const auto maker = DevicePictures::open(fake(), "auto").value();
  ASSERT_TRUE(maker->prepare(small_recipe()).ok());
  fake_opencl_fail("clEnqueueReadBuffer", 1, CL_INVALID_VALUE, true);
  EXPECT_FALSE(one_picture(*maker).ok());
  EXPECT_EQ(fake_opencl_calls("clFinish"), 1);
  fake_opencl_heal();
}

// What one picture costs where the device has memory of its own: one write per plane, one kernel, one read.
TEST(GpuPicturesCost, APictureIsItsPlanesAKernelAndARead) {
  fake_opencl_heal();
  const auto maker = DevicePictures::open(fake(), "auto").value();
  ASSERT_TRUE(maker->prepare(small_recipe()).ok());
  ASSERT_TRUE(one_picture(*maker).ok());
  fake_opencl_heal();
  ASSERT_TRUE(one_picture(*maker).ok());
  EXPECT_EQ(fake_opencl_calls("clEnqueueWriteBuffer"), 1);
  EXPECT_EQ(fake_opencl_calls("clEnqueueNDRangeKernel"), 1);
  EXPECT_EQ(fake_opencl_calls("clEnqueueReadBuffer"), 1);
  EXPECT_EQ(fake_opencl_calls("clCreateBuffer"), 0);
}

}  // namespace
}  // namespace sluice::gpu
