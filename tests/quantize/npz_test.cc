#include "quantize/npz.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zip.h>

#include <cstring>
#include <filesystem>
#include <random>

#include "quantize/npy_header.h"

namespace sluice::quantize {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A .npy file as numpy.save writes it.
template <typename T>
std::string npy(const std::string& descr, const std::string& shape, const std::vector<T>& values,
                const std::string& order = "False") {
  std::string text = "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  text.resize((10 + text.size() + 64) / 64 * 64 - 10 - 1, ' ');
  text += '\n';
  std::string out = "\x93NUMPY";
  out += '\x01';
  out += '\0';
  out += static_cast<char>(text.size() & 0xff);
  out += static_cast<char>(text.size() >> 8);
  out += text;
  out.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return out;
}

class Npz : public ::testing::Test {
 public:
  ~Npz() override { fs::remove(path_); }

 protected:
  Npz() : path_((fs::path(::testing::TempDir()) / ("npz_" + std::to_string(::getpid()) + ".npz")).string()) {}

  void write(const std::vector<std::pair<std::string, std::string>>& files) {
    fs::remove(path_);
    int error = 0;
    zip_t* const archive = zip_open(path_.c_str(), ZIP_CREATE, &error);
    ASSERT_NE(archive, nullptr);
    for (const auto& [name, content] : files)
      zip_file_add(archive, (name + ".npy").c_str(),
                   zip_source_buffer(archive, content.data(), content.size(), 0), 0);
    ASSERT_EQ(zip_close(archive), 0);
  }
  std::string error(const std::vector<InputInfo>& inputs) {
    const auto samples = open_npz(path_, inputs);
    return samples.ok() ? "" : samples.status().message();
  }

  std::string path_;
};

const InputInfo kX{"x", DType::kFloat32, {1, 2}};

std::vector<std::vector<float>> rows(Samples& samples) {
  std::vector<std::vector<float>> out;
  EXPECT_TRUE(samples
                  .for_each([&](const Sample& sample) {
                    const auto* const data = reinterpret_cast<const float*>(sample[0].data);
                    out.emplace_back(data, data + sample[0].bytes / sizeof(float));
                    return Status();
                  })
                  .ok());
  return out;
}

TEST_F(Npz, SamplesGoAlongTheFirstDimensionOrOneMoreInFront) {
  for (const char* shape : {"(3, 2)", "(3, 1, 2)"}) {
    const std::string file = npy<float>("<f4", shape, {1, 2, 3, 4, 5, 6});
    write({{"x", file}});
    const auto samples = open_npz(path_, {kX});
    ASSERT_TRUE(samples.ok()) << samples.status().message();
    EXPECT_EQ((*samples)->count(), 3u);
    for (int round = 0; round < 2; ++round)
      EXPECT_THAT(rows(**samples), ::testing::ElementsAre(std::vector<float>{1, 2}, std::vector<float>{3, 4},
                                                          std::vector<float>{5, 6}));
  }
}

TEST_F(Npz, OneArrayFitsOneInputAndDoublesBecomeFloats) {
  const std::string file = npy<double>("<f8", "(1, 2)", {0.5, -1});
  write({{"arr_0", file}});
  const auto samples = open_npz(path_, {kX});
  ASSERT_TRUE(samples.ok()) << samples.status().message();
  EXPECT_THAT(rows(**samples), ::testing::ElementsAre(std::vector<float>{0.5f, -1.0f}));
}

TEST_F(Npz, IntegersOfAQuantisedInputAreTakenAsTheyAre) {
  const InputInfo quantised{"x", DType::kFloat32, {1, 2}, DType::kUint8};
  const std::string ints = npy<std::uint8_t>("|u1", "(1, 2)", {7, 9}),
                    floats = npy<float>("<f4", "(1, 2)", {7, 9});
  for (const auto& [file, dtype] : {std::pair(ints, DType::kUint8), std::pair(floats, DType::kFloat32)}) {
    write({{"x", file}});
    const auto samples = open_npz(path_, {quantised});
    ASSERT_TRUE(samples.ok()) << samples.status().message();
    EXPECT_TRUE((*samples)
                    ->for_each([&](const Sample& sample) {
                      EXPECT_EQ(sample[0].dtype, dtype);
                      EXPECT_EQ(sample[0].bytes, 2 * size_of(dtype));
                      return Status();
                    })
                    .ok());
  }
  write({{"x", npy<std::int64_t>("<i8", "(1, 2)", {7, 9})}});
  EXPECT_THAT(error({quantised}), HasSubstr("array 'x' is int64, input 'x' takes float32 or uint8"));
}

TEST_F(Npz, HalvesBecomeFloats) {
  const std::string file = npy<std::uint16_t>("<f2", "(1, 2)", {0x3800, 0xbc00});
  write({{"x", file}});
  const auto samples = open_npz(path_, {kX});
  ASSERT_TRUE(samples.ok()) << samples.status().message();
  EXPECT_THAT(rows(**samples), ::testing::ElementsAre(std::vector<float>{0.5f, -1.0f}));
}

TEST_F(Npz, SaysWhatDoesNotFit) {
  const std::string floats = npy<float>("<f4", "(2, 3)", {1, 2, 3, 4, 5, 6});
  const std::string ints = npy<std::int64_t>("<i8", "(1, 2)", {1, 2});
  const std::string fortran = npy<float>("<f4", "(1, 2)", {1, 2}, "True");
  const std::string text = npy<float>("<U4", "(1, 2)", {1, 2});
  write({{"x", floats}, {"y", ints}});
  EXPECT_THAT(error({kX}), HasSubstr("array 'x' is 2x3, input 'x' takes 1x2"));
  EXPECT_THAT(error({{"y", DType::kFloat32, {1, 2}}}),
              HasSubstr("array 'y' is int64, input 'y' takes float32"));
  EXPECT_THAT(error({{"z", DType::kFloat32, {1, 2}}}),
              HasSubstr("no array for input 'z'; its arrays are: x, y"));
  EXPECT_THAT(error({{"x", DType::kFloat32, {1, 3}}, {"y", DType::kInt64, {1, 2}}}),
              HasSubstr("array 'y' holds 1 samples, array of input 'x' holds 2"));
  write({{"x", npy<float>("<f4", "(0, 2)", {})}});
  EXPECT_THAT(error({kX}), HasSubstr("array 'x' holds no sample"));
  write({{"x", fortran}});
  EXPECT_THAT(error({kX}), HasSubstr("Fortran order"));
  write({{"x", text}});
  EXPECT_THAT(error({kX}), HasSubstr("elements of type '<U4'"));
}

TEST_F(Npz, AnArrayThatEndsTooEarlyFailsWhereItEnds) {
  const std::string file = npy<float>("<f4", "(2, 2)", {1, 2, 3});
  write({{"x", file}});
  const auto samples = open_npz(path_, {kX});
  ASSERT_TRUE(samples.ok());
  const Status status = (*samples)->for_each([](const Sample&) { return Status(); });
  EXPECT_THAT(status.message(), HasSubstr("array of input 'x', sample 1, ends too early or is damaged"));
}

TEST_F(Npz, NoZipAtAll) {
  std::FILE* const file = std::fopen(path_.c_str(), "w");
  std::fputs("hello", file);
  std::fclose(file);
  EXPECT_THAT(error({kX}), HasSubstr("is no .npz file"));
}

TEST(NpyHeader, RandomBytesAreRefusedOrRead) {
  for (std::uint32_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 engine(seed);
    std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }";
    for (int i = 0; i < 4; ++i) text[engine() % text.size()] = static_cast<char>(engine() % 256);
    const auto header = parse_npy_text(text);
    if (!header.ok()) continue;
    for (const std::int64_t dim : header->shape) EXPECT_GE(dim, 0);
  }
  EXPECT_FALSE(find_npy_text("short").ok());
}

}  // namespace
}  // namespace sluice::quantize
