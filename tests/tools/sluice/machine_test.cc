#include "tools/sluice/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST(Machine, Floors) {
  EXPECT_EQ(floor_warning("1.29.0", "1.28"), "");
  EXPECT_EQ(floor_warning("1.28", "1.28"), "");
  EXPECT_EQ(floor_warning("2.0", "1.28"), "");
  EXPECT_EQ(floor_warning("1.9.9", "1.28"), "has known vulnerabilities; use 1.28 or later");
  EXPECT_EQ(floor_warning("4.6.0", "4.12"), "has known vulnerabilities; use 4.12 or later");
  EXPECT_EQ(floor_warning("4", "4.12"), "has known vulnerabilities; use 4.12 or later");
}

class MachineRoot : public ::testing::Test {
 protected:
  MachineRoot() : root_(fs::path(::testing::TempDir()) / ("machine_" + std::to_string(::getpid()))) {
    put("proc/cpuinfo", "processor\t: 0\nmodel name\t: Fast CPU\n");
    put("proc/meminfo", "MemTotal:        2048000 kB\n");
    put("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
    put("sys/class/thermal/thermal_zone0/temp", "45250\n");
    put("sys/class/thermal/thermal_zone1/type", "npu\n");
    put("dev/video0", "");
  }
  ~MachineRoot() override { fs::remove_all(root_); }
  void put(const char* name, const char* text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  fs::path root_;
};

TEST_F(MachineRoot, LooksAtFiles) {
  const Machine m = look_at_machine(root_.string());
  EXPECT_EQ(m.cpu, "Fast CPU");
  EXPECT_EQ(m.memory_mb, 2000);
  ASSERT_EQ(m.sensors.size(), 3u)
      << "two zones and the memory, of which this machine does not tell what is free";
  EXPECT_EQ(m.sensors[0].name, "cpu-thermal");
  EXPECT_EQ(m.sensors[0].role, "cpu");
  EXPECT_EQ(m.sensors[0].now.value, 45.25);
  EXPECT_FALSE(m.sensors[1].now.value.has_value());
  EXPECT_EQ(m.sensors[1].problem, "it cannot be read");
  EXPECT_FALSE(m.sensors[2].now.value.has_value());
  EXPECT_THAT(m.cameras, ::testing::ElementsAre("/dev/video0"));
}

TEST_F(MachineRoot, BackendsSayExactlyWhyNot) {
  const Machine m = look_at_machine(root_.string());
  ASSERT_EQ(m.backends.size(), 4u);
  EXPECT_EQ(m.backends[0].name, "htp");
  for (const BackendState& b : m.backends) EXPECT_NE(b.available, !b.reason.empty()) << b.name;
}

TEST(Machine, SimulatedBackendsAreLabelled) {
  Machine m;
  m.backends = {{"htp", true, {}, true, "QAIRT 2.51.0", {}}, {"cpu", true, {}, false, {}, {}}};
  EXPECT_THAT(machine_text(m), HasSubstr("  htp: available, simulated (QAIRT 2.51.0)\n  cpu: available\n"));
  const auto json = nlohmann::json::parse(machine_json(m));
  EXPECT_TRUE(json["backends"][0]["simulated"]);
  EXPECT_EQ(json["backends"][0]["version"], "QAIRT 2.51.0");
  EXPECT_TRUE(json["backends"][1]["version"].is_null());
}

TEST(Machine, PartsThatAreMissingSayWhatToDo) {
  Machine m;
  m.backends = {{"htp",
                 false,
                 "no",
                 false,
                 {},
                 {{"libQnnHtp.so", "/opt/qnn", {}, true},
                  {"FastRPC node", {}, "there is none", true},
                  {"QAIRT release", "2.51", "they differ", false}}}};
  EXPECT_THAT(machine_text(m), HasSubstr("  htp: no\n    libQnnHtp.so: /opt/qnn\n"
                                         "    FastRPC node: missing: there is none\n"
                                         "    QAIRT release: warning: they differ\n"));
  const auto parts = nlohmann::json::parse(machine_json(m))["backends"][0]["parts"];
  EXPECT_EQ(parts[0]["found"], "/opt/qnn");
  EXPECT_TRUE(parts[0]["problem"].is_null());
  EXPECT_EQ(parts[1]["problem"], "there is none");
  EXPECT_TRUE(parts[1]["needed"]);
}

TEST(Machine, UnknownIsNull) {
  Machine m;
  m.sensors = {{"npu", "temperature", "npu", "degrees C", {}, "it cannot be read"},
               {"policy4", "clock", "cpu", "MHz", {1651.2, 0, Health::kGood}, ""},
               {"cpu load", "utilisation", "cpu", "", {0.37, 0, Health::kGood}, ""},
               {"cooling devices", "pressure", "", "", {0.04, 0, Health::kGood}, ""},
               {"ina", "power", "monitor", "W", {0.04, 0, Health::kGood}, ""},
               {"socd", "temperature", "", "degrees C", {}, "no temperature: a state of charge"}};
  m.libraries = {{"ONNX Runtime", std::nullopt, "not found", {}}};
  const auto json = nlohmann::json::parse(machine_json(m));
  EXPECT_TRUE(json["memory_mb"].is_null());
  EXPECT_TRUE(json["sensors"][0]["temperature_c"].is_null());
  EXPECT_TRUE(json["sensors"][0]["value"].is_null());
  EXPECT_EQ(json["sensors"][1]["value"], 1651.2);
  EXPECT_EQ(json["sensors"][2]["value"], 0.37);
  EXPECT_EQ(json["sensors"][3]["value"], 0.04);
  EXPECT_EQ(json["sensors"][4]["value"], 0.04);
  EXPECT_TRUE(json["libraries"][0]["version"].is_null());
  EXPECT_THAT(machine_text(m), HasSubstr("  npu: npu unknown: it cannot be read\n"));
  EXPECT_THAT(machine_text(m), HasSubstr("  policy4: cpu clock 1651.2 MHz\n"));
  EXPECT_THAT(machine_text(m), HasSubstr("  cpu load: cpu utilisation 37 %\n"));
  EXPECT_THAT(machine_text(m), HasSubstr("  cooling devices: pressure 4 %\n"));
  EXPECT_THAT(machine_text(m), HasSubstr("  ina: monitor power 0.04 W\n"));
  EXPECT_THAT(machine_text(m), HasSubstr("  socd: not used: no temperature: a state of charge\n"));
  EXPECT_THAT(machine_text(m), HasSubstr("  ONNX Runtime: missing not found\n"));
}

}  // namespace
}  // namespace sluice::cli
