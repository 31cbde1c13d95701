// Android's thermal headroom, asked of a function in the system's place.
#include "inference/telemetry/headroom.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Answers like the system: NaN to whoever asks within a second of the question before.
struct System {
  float now = 0.5F;
  TimeNs at = 0, asked = -from_s(10);
  int questions = 0;
  std::shared_ptr<HeadroomMeter> meter() {
    return std::make_shared<HeadroomMeter>([this](int) {
      ++questions;
      const bool fast = at - asked < from_s(1);
      asked = at;
      return fast ? NAN : now;
    });
  }
};

TEST(Headroom, TwoThatSampleOnceASecondDoNotAskTooFast) {
  System system;
  const auto meter = system.meter();
  HeadroomTelemetry report(nullptr, meter), selector(nullptr, meter);
  for (int i = 0; i < 20; ++i) {
    system.at = from_ms(500.0 * i);
    Telemetry& one = i % 2 ? static_cast<Telemetry&>(report) : selector;
    EXPECT_EQ(one.sample(system.at).headroom.value, 0.5F) << i;
  }
  EXPECT_LE(system.questions, 9);
  EXPECT_THAT(report.take_notices(), IsEmpty());
}

TEST(Headroom, IsUnknownUntilTheSystemSaysItAndMissedWhenItStops) {
  System system;
  HeadroomTelemetry telemetry(nullptr, system.meter());
  const auto at = [&](double seconds, float value) {
    system.at = from_s(seconds);
    system.now = value;
    return telemetry.sample(system.at).headroom;
  };
  EXPECT_EQ(at(0, NAN).health, Health::kAbsent);
  EXPECT_EQ(at(2, 0.8F).value, 0.8F);
  EXPECT_THAT(telemetry.take_notices(), IsEmpty());
  EXPECT_EQ(at(4, NAN).health, Health::kVanished);
  EXPECT_EQ(at(6, -3).health, Health::kNonsense);
  EXPECT_EQ(at(8, 1.2F).value, 1.2F);
  EXPECT_THAT(telemetry.take_notices(), ElementsAre("thermal headroom: it cannot be read; excluded",
                                                    "thermal headroom: its value cannot be; excluded",
                                                    "thermal headroom: believed again"));
}

TEST(Headroom, IsThereOnlyWhereItsSwitchIsSet) { EXPECT_EQ(android_headroom(), nullptr); }

}  // namespace
}  // namespace sluice
