// Every shipped profile is valid and labelled; every mistake in one is found, with its place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "simulation/profile_reader.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Profiles, TheShippedOnesAreValid) {
  EXPECT_THAT(shipped_profiles(),
              ElementsAre("generic", "qcs6490", "sm8550", "sm8650", "sm8750", "x1e80100"));
  for (const std::string& name : shipped_profiles()) {
    const auto profile = load_profile(name);
    ASSERT_TRUE(profile.ok()) << profile.status().message();
    EXPECT_EQ(profile->name, name);
    for (const char* backend : {"htp", "gpu", "cpu"}) EXPECT_TRUE(profile->backend(backend)) << name;
    for (const UnitRole role : {UnitRole::kNpu, UnitRole::kGpu, UnitRole::kCpu})
      EXPECT_TRUE(profile->unit(role)) << name;
  }
}

// facts_devices section 1: what is published stands in the profile as published.
TEST(Profiles, PublishedLatenciesAreLabelled) {
  const auto profile = load_profile("qcs6490");
  ASSERT_TRUE(profile.ok());
  const auto found = std::find_if(profile->models.begin(), profile->models.end(), [](const ModelProfile& m) {
    return m.backend == "htp" && m.files.front() == "yolov8n_w8a8";
  });
  ASSERT_NE(found, profile->models.end());
  EXPECT_EQ(found->latency_ms, 3.301);
  EXPECT_EQ(found->origin.label, Label::kPublished);
  EXPECT_THAT(found->origin.from, HasSubstr("quic/ai-hub-models v0.46.1"));
  EXPECT_EQ(profile->thermal_origin.label, Label::kAssumed);
}

constexpr std::string_view kSmall = R"(version: 1
name: small
thermal:
  label: A
  from: here
  nodes: {die: 1.0, case: 100}
  links:
    - {a: die, b: case, k_per_w: 8}
    - {a: case, b: ambient, k_per_w: 5.5}
units:
  cpu: {role: cpu, node: die, active_w: 2, label: A, from: here}
backends:
  cpu: {unit: cpu, gmacs_per_s: 10, label: A, from: here}
nodes:
  default: {ms: 0.1, label: A, from: here}
sensors:
  cpu: {node: die}
governor:
  kind: step
  label: A
  from: here
  trips:
    - {node: die, limit_c: 95, slows: [cpu]}
)";

TEST(Profiles, ASmallOneIsEnough) {
  const ParsedProfile parsed = parse_profile(kSmall, "small.yaml");
  EXPECT_TRUE(parsed.status().ok()) << parsed.status().message();
  ASSERT_TRUE(parsed.profile);
  EXPECT_EQ(parsed.profile->units[0].node, 0);
  EXPECT_EQ(parsed.profile->links[1].b, kAmbient);
}

struct Mistake {
  std::string_view from, to, message;
};

class ProfileMistakes : public ::testing::TestWithParam<Mistake> {};

TEST_P(ProfileMistakes, AreFoundWithTheirPlace) {
  std::string text(kSmall);
  const std::size_t at = text.find(GetParam().from);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, GetParam().from.size(), GetParam().to);
  const ParsedProfile parsed = parse_profile(text, "small.yaml");
  EXPECT_FALSE(parsed.profile);
  EXPECT_THAT(parsed.status().message(), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, ProfileMistakes,
    ::testing::Values(
        Mistake{"limit_c: 95", "limit_c: 42000",
                "small.yaml:23:28: error: governor: trip: 'limit_c' is 42000, must be -50 to 200 degrees C"},
        Mistake{"active_w: 2,", "active_w: 2000,", "'active_w' is 2000, must be 0 to 1000 W"},
        Mistake{"active_w: 2,", "", "units 'cpu': key 'active_w' is missing; write it in W"},
        Mistake{"active_w: 2,", "active_w: 2, idle_w: 3,", "'active_w' is below 'idle_w'"},
        Mistake{
            "node: die, active_w", "node: dye, active_w",
            "small.yaml:11:26: error: units 'cpu': 'node' is the text 'dye', which is none of the thermal "
            "nodes, allowed: die, case; did you mean 'die'?"},
        Mistake{"    - {a: case, b: ambient, k_per_w: 5.5}\n", "",
                "thermal: node 'die' has no way to 'ambient'; its heat could not leave"},
        Mistake{"k_per_w: 8", "k_per_w: 0", "'k_per_w' is 0, must be 0.001 to 1000000 K/W"},
        Mistake{"b: case", "b: die", "it joins a node with itself"},
        Mistake{"label: A\n  from: here\n  nodes", "label: X\n  from: here\n  nodes",
                "thermal: 'label' is 'X', allowed: P, A, F"},
        Mistake{"  from: here\n  nodes", "  nodes",
                "thermal: key 'from' is missing; write the source of these numbers"},
        Mistake{"gmacs_per_s", "gmac_per_s", "unknown key 'gmac_per_s'"},
        Mistake{"nodes: {die: 1.0, case: 100}", "nodes: {}", "thermal: 'nodes' is empty"},
        Mistake{"role: cpu", "role: npu", "units: none has role 'cpu', which runs the nodes"},
        Mistake{"sensors:\n  cpu", "sensors:\n  nose",
                "it is no role, allowed: npu, gpu, cpu, skin, battery"},
        Mistake{"backends:\n  cpu", "backends:\n  cpus",
                "small.yaml:13:9: error: backends 'cpus': it is no backend, allowed: htp, gpu, cpu, fake"},
        Mistake{"gmacs_per_s: 10,", "modes: {brust: 1},",
                "backends 'cpu': modes: 'brust' is no mode, allowed: burst"},
        Mistake{"slows: [cpu]", "slows: []", "'slows' names no unit"},
        Mistake{"version: 1", "version: 2", "'version' is 2, must be a whole number from 1 to 1"},
        Mistake{"name: small\n", "", "key 'name' is missing"},
        Mistake{"name: small", "name: [small", "small.yaml:"}));

TEST(Profiles, TruncatedAnywhereIsNoCrash) {
  const std::string text(shipped_profile("qcs6490"));
  for (std::size_t size = 0; size < text.size(); size += 37)
    static_cast<void>(parse_profile(text.substr(0, size), "cut.yaml"));
}

TEST(Profiles, AnUnknownNameSaysWhatThereIs) {
  const auto profile = load_profile("qcs6491");
  EXPECT_EQ(profile.status().code(), Code::kInvalid);
  EXPECT_THAT(profile.status().message(),
              HasSubstr("there is no profile 'qcs6491', allowed: generic, qcs6490"));
  EXPECT_THAT(profile.status().message(), HasSubstr("did you mean 'qcs6490'?"));
  EXPECT_THAT(load_profile("./nothing.yaml").status().message(), HasSubstr("./nothing.yaml: cannot be read"));
}

TEST(ProfileReader, AValueThatIsNoNumberIsOneError) {
  std::string text(shipped_profile("qcs6490"));
  text.replace(text.find("ambient_c: 25"), 13, "ambient_c: .nan");
  const std::string message = parse_profile(text, "hot.yaml").status().message();
  EXPECT_THAT(message, HasSubstr("'.nan' is not finite"));
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 0) << message;
}

TEST(ProfileReader, AnEmptyFileIsNone) {
  for (const char* text : {"", "# nothing\n", "---\n", "null\n"}) {
    const ParsedProfile parsed = parse_profile(text, "empty.yaml");
    EXPECT_FALSE(parsed.status().ok()) << text;
    EXPECT_FALSE(parsed.profile) << text;
  }
}

}  // namespace
}  // namespace sluice
