#include "runtime/telemetry_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>

#include "runtime/device_check.h"
#include "runtime/recorded_telemetry.h"
#include "simulation/profile_reader.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;

// Warms by a degree per sample, and loses its sensor at the fourth.
class Warming final : public Telemetry {
 public:
  std::string_view source() const override { return "made"; }
  Readings sample(TimeNs now) override {
    Readings out;
    out.at = now;
    std::lock_guard lock(mutex_);
    ++samples_;
    if (samples_ < 4) out.temperature(HeatRole::kCpu) = {40.0 + samples_, now, Health::kGood};
    changed_.notify_all();
    return out;
  }
  std::vector<SensorState> sensors() const override { return {}; }
  std::vector<std::string> take_notices() override {
    std::lock_guard lock(mutex_);
    return samples_ == 4 ? std::vector<std::string>{"sensor 'cpu' is gone"} : std::vector<std::string>{};
  }
  int samples() {
    std::lock_guard lock(mutex_);
    return samples_;
  }
  void wait_for(int samples) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return samples_ >= samples; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int samples_ = 0;
};

TEST(TelemetryThread, SamplesOnceASecondAndSumsUp) {
  ManualClock clock;
  auto owned = std::make_unique<Warming>();
  Warming* const warming = owned.get();
  TelemetryThread thread(std::move(owned), clock);
  for (int second = 1; second <= 4; ++second) {
    clock.advance_to(from_s(second));
    warming->wait_for(second + 1);
  }
  thread.stop();
  const DeviceReport report = thread.report();
  EXPECT_EQ(report.telemetry, "made");
  const DeviceReport::Heat& cpu = report.temperature_c[static_cast<std::size_t>(HeatRole::kCpu)];
  EXPECT_EQ(cpu.mean, 42) << "of 41, 42 and 43; what is unknown is left out";
  EXPECT_EQ(cpu.max, 43);
  EXPECT_EQ(report.temperature_c[0].mean, std::nullopt);
  EXPECT_EQ(report.power_w, std::nullopt);
  EXPECT_THAT(report.notices, ElementsAre("sensor 'cpu' is gone"));
  EXPECT_EQ(thread.latest().temperature(HeatRole::kCpu).value, std::nullopt);
}

// A machine that was suspended: what was missed is not made up for.
TEST(TelemetryThread, AfterAnHourOfSleepItGoesOnFromNow) {
  ManualClock clock;
  auto owned = std::make_unique<Warming>();
  Warming* const warming = owned.get();
  TelemetryThread thread(std::move(owned), clock);
  clock.advance_to(from_s(3600));
  warming->wait_for(2);
  clock.advance_to(from_s(3602));
  warming->wait_for(3);
  thread.stop();
  EXPECT_LE(warming->samples(), 5);
}

TEST(TelemetryThread, StopsWhileItSleeps) {
  ManualClock clock;
  TelemetryThread thread(std::make_unique<Warming>(), clock);
  thread.stop();
  thread.stop();
}

Status status_of(const std::string& source) {
  OptionMap device;
  device["telemetry"] = OptionValue{source};
  return make_telemetry(device, {}).status();
}

TEST(MakeTelemetry, TakesWhatIsThere) {
  EXPECT_TRUE(status_of("none").ok());
  EXPECT_TRUE(status_of("auto").ok());
}

TEST(MakeTelemetry, SaysWhatIsMissing) {
  EXPECT_THAT(status_of("trace").message(), ::testing::HasSubstr("'trace' does not name the recording"));
  EXPECT_THAT(status_of("simulated").message(), ::testing::HasSubstr("'profile' does not name a device"));
  OptionMap device;
  device["telemetry"] = OptionValue{std::string("simulated")};
  device["profile"] = OptionValue{std::string("nothing")};
  EXPECT_THAT(make_telemetry(device, {}).status().message(),
              ::testing::HasSubstr("device: profile: there is no profile 'nothing'"));
  device["telemetry"] = OptionValue{std::string("trace")};
  device["trace"] = OptionValue{std::string("no/such.jsonl")};
  EXPECT_THAT(make_telemetry(device, {}).status().message(),
              ::testing::HasSubstr("device: trace: no/such.jsonl: cannot be read"));
}

TEST(CheckTelemetry, NeedsNoDevice) {
  OptionMap device;
  const auto check = [&device](const std::string& source) {
    device["telemetry"] = OptionValue{source};
    return check_telemetry(device);
  };
  for (const auto* source : {"none", "auto", "sysfs"}) EXPECT_TRUE(check(source).ok()) << source;
  EXPECT_EQ(check("simulated").code(), Code::kInvalid);
  EXPECT_EQ(check("trace").code(), Code::kInvalid);
  device["profile"] = OptionValue{std::string("qcs6490")};
  device["trace"] = OptionValue{std::string("no/such.jsonl")};
  EXPECT_TRUE(check("simulated").ok());
  EXPECT_TRUE(check("trace").ok()) << "whether it is there is the run's to say";
}

Readings line(double t_s, double npu_c) {
  Readings out;
  out.at = from_s(t_s);
  out.temperature(HeatRole::kNpu) = {npu_c, out.at, Health::kGood};
  return out;
}

TEST(RecordedTelemetry, PlaysTheRecordingAndSaysThatItEnded) {
  RecordedTelemetry trace({"run.jsonl", {line(1, 40), line(2, 41), line(3, 43)}});
  const TimeNs start = from_s(100);
  EXPECT_EQ(trace.sample(start).temperature(HeatRole::kNpu).value, 40);
  EXPECT_EQ(trace.sample(start + from_ms(999)).temperature(HeatRole::kNpu).value, 40)
      << "until the next line";
  const Readings second = trace.sample(start + from_ms(1200));
  EXPECT_EQ(second.temperature(HeatRole::kNpu).value, 41);
  EXPECT_EQ(age_of(second, second.temperature(HeatRole::kNpu)), from_ms(200));
  EXPECT_EQ(trace.sample(start + from_s(3)).temperature(HeatRole::kNpu).value, 43);
  EXPECT_TRUE(trace.take_notices().empty());
  EXPECT_EQ(trace.sample(start + from_s(5)).temperature(HeatRole::kNpu).value, std::nullopt);
  EXPECT_THAT(trace.take_notices(),
              ::testing::ElementsAre(::testing::HasSubstr("'run.jsonl' has ended after 2 s")));
  EXPECT_TRUE(trace.take_notices().empty()) << "once";
}

// A model of a device is heated by what really ran.
TEST(SimulatedTelemetry, WarmsWithTheLoadItIsTold) {
  const auto profile = load_profile("qcs6490");
  ASSERT_TRUE(profile.ok());
  double busy_ms = 0;
  SimulatedTelemetry busy(*profile, [&] { return std::vector<BackendLoad>{{"face", "htp", busy_ms, 0}}; });
  SimulatedTelemetry fake(*profile, [&] { return std::vector<BackendLoad>{{"face", "fake", busy_ms, 6}}; });
  SimulatedTelemetry idle(*profile, [] { return std::vector<BackendLoad>{}; });
  Readings hot, fake_hot, cool;
  for (int s = 0; s < 60; ++s) {
    hot = busy.sample(from_s(500 + s));
    fake_hot = fake.sample(from_s(500 + s));
    cool = idle.sample(from_s(500 + s));
    busy_ms += 800;
  }
  EXPECT_TRUE(hot.simulated);
  EXPECT_GT(*hot.hottest_c(), *cool.hottest_c() + 15);
  EXPECT_GT(*fake_hot.hottest_c(), *cool.hottest_c() + 15) << "heat_w";
  EXPECT_GT(*hot.power_w.value, 3);
  EXPECT_NEAR(*hot.utilisation[static_cast<std::size_t>(UnitRole::kNpu)].value, 0.8, 0.05);
}

}  // namespace
}  // namespace sluice
