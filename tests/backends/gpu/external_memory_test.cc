// Pictures in another device's memory are read where they are: Mali's and Adreno's ways, on a library that
// has the extensions; the memory is a memfd, which the library maps by its descriptor as a driver would.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "backends/gpu/device/errors.h"
#include "backends/gpu/kernels/picture_numbers.h"
#include "backends/gpu/pictures/device_pictures.h"
#include "tests/backends/gpu/fake_opencl.h"

namespace sluice::gpu {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kBytes = 4096;
constexpr std::size_t kPadding = 64;  // that the library asks for, as Adreno may

const Api& library() {
  static const Result<Api> api = [] {
    ::setenv("SLUICE_ARTIFACTS", "off", 1);
    return load_api({SLUICE_FAKE_OPENCL_LIBRARY});
  }();
  return *api;
}

class CameraBuffer {
 public:
  CameraBuffer() : descriptor_(::memfd_create("camera", 0)) {
    EXPECT_EQ(::ftruncate(descriptor_, kBytes), 0);
    void* mapped = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
    EXPECT_NE(mapped, MAP_FAILED);
    data_ = static_cast<std::byte*>(mapped);
  }
  CameraBuffer(const CameraBuffer&) = delete;
  CameraBuffer& operator=(const CameraBuffer&) = delete;
  ~CameraBuffer() {
    ::munmap(data_, kBytes);
    close();
  }
  // From now on no driver can map it.
  void close() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }
  SharedMemory memory() const { return {descriptor_, data_, kBytes}; }
  std::uint8_t* at(std::size_t offset) const { return reinterpret_cast<std::uint8_t*>(data_) + offset; }

 private:
  int descriptor_;
  std::byte* data_ = nullptr;
};

// 4x2 gray to 2x1.
PictureRecipe gray_recipe() {
  PictureRecipe recipe;
  recipe.width = recipe.columns = 2;
  recipe.height = recipe.rows = recipe.channels = 1;
  recipe.plane_count = recipe.component_count = 1;
  recipe.planes[0] = {.row_bytes = 4, .rows = 2, .along = {{0, 0.5F}, {2, 0.5F}}, .across = {{0, 0.5F}}};
  return recipe;
}

Status make(DevicePictures& maker, std::uint8_t* first_row, std::ptrdiff_t stride = 4) {
  Image image;
  image.type = {PixelFormat::kGray, 4, 2, {}, 0};
  image.planes[0] = first_row;
  image.strides[0] = stride;
  std::array<std::byte, 8> out{};
  return maker.run(image, out.data());
}

// What the kernel would read as the first row's first sample.
int first_sample() {
  std::int32_t offset = 0;
  std::memcpy(&offset, fake_opencl_argument(4) + sizeof offset * (NUMBERS_COMMON + SAMPLE_OFFSET),
              sizeof offset);
  return fake_opencl_argument(0)[offset];
}

struct Way {
  const char* name;
  const char* extensions;
  const char* call;      // that imports
  std::size_t reserved;  // bytes at the end that are the driver's
  unsigned policy;
};
constexpr Way kWays[] = {
    {"Arm", "cl_arm_import_memory cl_arm_import_memory_dma_buf", "clImportMemoryARM", 0, 0},
    {"Qualcomm", "cl_qcom_ext_host_ptr cl_qcom_dmabuf_host_ptr", "clCreateBuffer", kPadding, 0x40A4},
    {"QualcommCoherent", "cl_qcom_ext_host_ptr cl_qcom_dmabuf_host_ptr cl_qcom_ext_host_ptr_iocoherent",
     "clCreateBuffer", kPadding, 0x40A9}};

void set_extensions(const char* extensions) { ::setenv("SLUICE_FAKE_OPENCL_EXTENSIONS", extensions, 1); }

std::unique_ptr<DevicePictures> open_pictures(const char* extensions) {
  set_extensions(extensions);
  fake_opencl_heal();
  auto maker = DevicePictures::open(library(), "auto").value();
  EXPECT_TRUE(maker->prepare(gray_recipe()).ok());
  return maker;
}

class ExternalMemory : public ::testing::TestWithParam<Way> {
 protected:
  void TearDown() override {
    maker_.reset();
    fake_opencl_heal();
    ::unsetenv("SLUICE_FAKE_OPENCL_EXTENSIONS");
    EXPECT_EQ(fake_opencl_live(), 0);
  }

  CameraBuffer camera_;
  std::unique_ptr<DevicePictures> maker_ = open_pictures(GetParam().extensions);
};

TEST_P(ExternalMemory, IsImportedOnceAndReadInPlace) {
  ASSERT_TRUE(maker_->adopt(camera_.memory()).ok());
  const FakeImport& import = *fake_opencl_import();
  EXPECT_EQ(import.bytes, kBytes - GetParam().reserved);
  EXPECT_EQ(import.policy, GetParam().policy);
  EXPECT_EQ(import.mapped, GetParam().reserved ? camera_.at(0) : nullptr);
  *camera_.at(128) = 77;
  *camera_.at(200) = 88;
  ASSERT_TRUE(make(*maker_, camera_.at(128)).ok());
  EXPECT_EQ(first_sample(), 77);
  fake_opencl_heal();
  ASSERT_TRUE(make(*maker_, camera_.at(128)).ok());
  EXPECT_EQ(fake_opencl_calls("clEnqueueWriteBuffer"), 0) << "nothing is copied to the device";
  ASSERT_TRUE(make(*maker_, camera_.at(200), -64).ok());
  EXPECT_EQ(first_sample(), 88) << "stored bottom up, elsewhere in the buffer";
  EXPECT_EQ(fake_opencl_calls("clEnqueueWriteBuffer"), 1) << "where the rows lie, when that changed";
  EXPECT_EQ(fake_opencl_calls(GetParam().call), 0) << "nothing is imported for a picture";
}

TEST_P(ExternalMemory, PicturesBesideItAreCopied) {
  ASSERT_TRUE(maker_->adopt(camera_.memory()).ok());
  const std::size_t end = kBytes - GetParam().reserved;
  ASSERT_TRUE(make(*maker_, camera_.at(end - 8)).ok());
  EXPECT_EQ(fake_opencl_argument(0)[end - 8], *camera_.at(end - 8)) << "its last bytes are in it";
  fake_opencl_heal();
  std::array<std::uint8_t, 8> elsewhere = {55};
  ASSERT_TRUE(make(*maker_, elsewhere.data()).ok());
  EXPECT_EQ(first_sample(), 55);
  EXPECT_EQ(fake_opencl_calls("clEnqueueWriteBuffer"), 2) << "the picture and where its rows lie";
  if (GetParam().reserved == 0) return;
  *camera_.at(end - 7) = 66;
  ASSERT_TRUE(make(*maker_, camera_.at(end - 7)).ok());
  EXPECT_EQ(first_sample(), 66);
  EXPECT_EQ(fake_opencl_calls("clEnqueueWriteBuffer"), 3) << "a byte of it is the driver's";
}

TEST_P(ExternalMemory, IsGivenUpWhenItsOwnerSaysSo) {
  const int before = fake_opencl_live();
  ASSERT_TRUE(maker_->adopt(camera_.memory()).ok());
  ASSERT_TRUE(maker_->adopt(camera_.memory()).ok());
  EXPECT_EQ(fake_opencl_live(), before + 1) << "the same memory again replaces it";
  maker_->disown(camera_.memory().data);
  maker_->disown(camera_.memory().data);
  EXPECT_EQ(fake_opencl_live(), before);
  fake_opencl_heal();
  ASSERT_TRUE(make(*maker_, camera_.at(128)).ok());
  EXPECT_EQ(fake_opencl_calls("clEnqueueWriteBuffer"), 2) << "copied like any other";
}

TEST_P(ExternalMemory, ThatTheDriverRefusesIsSaidAndCopied) {
  for (const cl_int error : {CL_INVALID_VALUE, CL_OUT_OF_RESOURCES}) {
    const int before = fake_opencl_live();
    fake_opencl_fail(GetParam().call, 1, error, false);
    const Status status = maker_->adopt(camera_.memory());
    EXPECT_THAT(status.message(), HasSubstr(std::string(GetParam().call) + " of a dma-buf of 4096 bytes"));
    EXPECT_THAT(status.message(), HasSubstr(name_of_error(error)));
    EXPECT_EQ(fake_opencl_live(), before);
    *camera_.at(128) = 99;
    ASSERT_TRUE(make(*maker_, camera_.at(128)).ok());
    EXPECT_EQ(first_sample(), 99);
  }
}

TEST_P(ExternalMemory, IsImportedAgainAfterTheDeviceWasLost) {
  ASSERT_TRUE(maker_->adopt(camera_.memory()).ok());
  *camera_.at(128) = 77;
  fake_opencl_fail("clEnqueueNDRangeKernel", 1, CL_DEVICE_NOT_AVAILABLE, false);
  ASSERT_TRUE(make(*maker_, camera_.at(128)).ok());
  EXPECT_EQ(fake_opencl_calls("clCreateContext"), 1);
  fake_opencl_heal();
  ASSERT_TRUE(make(*maker_, camera_.at(128)).ok());
  EXPECT_EQ(first_sample(), 77);
  EXPECT_EQ(fake_opencl_calls("clEnqueueWriteBuffer"), 0) << "in place again";
}

TEST_P(ExternalMemory, ThatComesWhenTheDeviceIsLostWaitsForTheNext) {
  fake_opencl_fail(GetParam().call, 1, CL_DEVICE_NOT_AVAILABLE, false);
  ASSERT_TRUE(maker_->adopt(camera_.memory()).ok());
  const CameraBuffer second;
  ASSERT_TRUE(maker_->adopt(second.memory()).ok()) << "the old context is left alone";
  EXPECT_EQ(fake_opencl_calls(GetParam().call), 1);
  ASSERT_TRUE(make(*maker_, camera_.at(0)).ok());
  fake_opencl_heal();
  ASSERT_TRUE(make(*maker_, second.at(0)).ok());
  EXPECT_EQ(fake_opencl_calls("clEnqueueWriteBuffer"), 0) << "both are in the new one";
}

TEST_P(ExternalMemory, ThatANewDeviceRefusesIsCopiedFromThenOn) {
  ASSERT_TRUE(maker_->adopt(camera_.memory()).ok());
  fake_opencl_fail("clEnqueueNDRangeKernel", 1, CL_DEVICE_NOT_AVAILABLE, false);
  camera_.close();
  ASSERT_TRUE(make(*maker_, camera_.at(128)).ok());
  fake_opencl_heal();
  ASSERT_TRUE(make(*maker_, camera_.at(128)).ok());
  EXPECT_EQ(fake_opencl_calls("clEnqueueWriteBuffer"), 1);
}

INSTANTIATE_TEST_SUITE_P(Ways, ExternalMemory, ::testing::ValuesIn(kWays),
                         [](const auto& way) { return std::string(way.param.name); });

TEST(ExternalMemoryOf, ADeviceWithoutTheExtensionsIsCopied) {
  const CameraBuffer camera;
  for (const char* extensions : {"", "cl_qcom_dmabuf_host_ptr", "cl_arm_import_memory"}) {
    const auto maker = open_pictures(extensions);
    const Status status = maker->adopt(camera.memory());
    EXPECT_EQ(status.code(), Code::kUnavailable);
    EXPECT_THAT(status.message(), HasSubstr("'Fake device' takes no dma-bufs: it has neither "
                                            "cl_arm_import_memory_dma_buf nor cl_qcom_dmabuf_host_ptr"));
    EXPECT_TRUE(make(*maker, camera.at(0)).ok());
  }
  ::unsetenv("SLUICE_FAKE_OPENCL_EXTENSIONS");
}

TEST(ExternalMemoryOf, ADriverWithoutTheEntryPointIsSaid) {
  const CameraBuffer camera;
  const auto maker = open_pictures(kWays[0].extensions);
  fake_opencl_fail("clGetExtensionFunctionAddressForPlatform", 1, CL_INVALID_VALUE, true);
  const Status status = maker->adopt(camera.memory());
  fake_opencl_heal();
  ::unsetenv("SLUICE_FAKE_OPENCL_EXTENSIONS");
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("its driver gives no clImportMemoryARM"));
}

TEST(ExternalMemoryOf, NoDescriptorOrSizeIsRefused) {
  const CameraBuffer camera;
  auto maker = open_pictures(kWays[0].extensions);
  SharedMemory memory = camera.memory();
  memory.descriptor = -1;
  EXPECT_THAT(maker->adopt(memory).message(), HasSubstr("got descriptor -1 and 4096 bytes"));
  memory = camera.memory();
  memory.bytes = std::size_t{1} << 31;
  EXPECT_THAT(maker->adopt(memory).message(),
              HasSubstr("needs a descriptor, an address and 1 to 2147483647"));
  memory.bytes = (std::size_t{1} << 30) + 1;
  EXPECT_THAT(maker->adopt(memory).message(), HasSubstr("more than 'Fake device' takes in one piece"));
  maker.reset();  // makers share a context while one lives
  maker = open_pictures(kWays[1].extensions);
  memory.bytes = kPadding;
  EXPECT_THAT(maker->adopt(memory).message(), HasSubstr("is too small for 'Fake device'"));
  ::unsetenv("SLUICE_FAKE_OPENCL_EXTENSIONS");
}

}  // namespace
}  // namespace sluice::gpu
