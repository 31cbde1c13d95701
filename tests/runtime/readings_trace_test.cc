#include "runtime/readings_trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace sluice {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

std::string file_of(const std::string& text) {
  const std::string path = ::testing::TempDir() + "/trace_" + std::to_string(::getpid()) + ".jsonl";
  std::ofstream(path) << text;
  return path;
}

TEST(ReadingsTrace, ComesBackAsItWas) {
  Readings readings;
  readings.at = from_s(2);
  readings.temperature(HeatRole::kNpu) = {61.5, from_s(2), Health::kGood};
  readings.utilisation[0] = {0.25, from_s(2), Health::kGood};
  readings.power_w = {3.5, from_s(2), Health::kGood};
  const std::string first = reading_line(readings);
  readings.at = from_s(3);
  readings.power_w = {};
  const auto trace = read_trace(file_of(first + "\n" + reading_line(readings) + "\n"));
  ASSERT_TRUE(trace.ok()) << trace.status().message();
  ASSERT_EQ(trace->samples.size(), 2u);
  EXPECT_EQ(reading_line(trace->samples[0]), first);
  EXPECT_EQ(trace->samples[0].temperature(HeatRole::kNpu).value, 61.5);
  EXPECT_EQ(trace->samples[1].power_w.value, std::nullopt) << "unknown stays unknown";
}

struct Broken {
  const char* text;
  const char* message;
};
void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.message; }
class BrokenTraces : public ::testing::TestWithParam<Broken> {};

TEST_P(BrokenTraces, AreRefusedWithTheirLine) {
  const std::string path = file_of(GetParam().text);
  const auto trace = read_trace(path);
  std::filesystem::remove(path);
  EXPECT_EQ(trace.status().code(), Code::kInvalid);
  EXPECT_THAT(trace.status().message(), EndsWith(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, BrokenTraces,
    ::testing::Values(Broken{"", ": has no samples"},
                      Broken{"{\"t_s\": 1}\n{\"t_s\": 2, \"power", ":2: the last line was cut; remove it"},
                      Broken{"{\"t_s\": 1}\nhello\n", ":2: no JSON object"},
                      Broken{"{\"t_s\": 1}\n[1]\n", ":2: no JSON object"},
                      Broken{"{\"power_w\": 1}\n", ":1: 't_s', the time in seconds, is missing"},
                      Broken{"{\"t_s\": 1.7e12}\n", ":1: 't_s' is 1.7e+12, must be -4e+09 to 4e+09 s"},
                      Broken{"{\"t_s\": 5}\n{\"t_s\": 5}\n",
                             ":2: 't_s' is 5, which is not after the line before"},
                      Broken{"{\"t_s\": 1, \"temperature_c\": {\"npu\": 42000}}\n",
                             ":1: temperature_c: 'npu' is 42000, must be -50 to 200 degrees C"},
                      Broken{"{\"t_s\": 1, \"utilisation\": {\"npu\": 37}}\n",
                             ":1: utilisation: 'npu' is 37, must be 0 to 1 share"},
                      Broken{"{\"t_s\": 1, \"power_w\": \"3\"}\n", ":1: 'power_w' is no number"},
                      Broken{"{\"t_s\": 1, \"temperature_c\": 3}\n", ":1: 'temperature_c' is no map"}));

TEST(ReadingsTrace, AFileThatIsNotThereIsNamed) {
  EXPECT_THAT(read_trace("no/such.jsonl").status().message(), HasSubstr("no/such.jsonl: cannot be read"));
}

}  // namespace
}  // namespace sluice
