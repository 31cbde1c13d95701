// The parts of backend htp that need no library: options, votes, devices, files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "backends/htp/compiled_model.h"
#include "backends/htp/context_entry.h"
#include "backends/htp/device.h"
#include "backends/htp/htp_options.h"
#include "backends/htp/parts.h"
#include "backends/htp/provider.h"
#include "backends/htp/votes.h"
#include "inference/backend_options.h"
#include "tests/backends/log_capture.h"
#include "tests/inference/support.h"

namespace sluice::htp {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using namespace sluice::testing;
namespace fs = std::filesystem;

OptionValue text(const char* value) { return {std::string(value)}; }
OptionValue whole(std::int64_t value) { return {value}; }
const OptionValue kTrue{true};

const Target kSimulated{.simulated = true, .machine = {}, .float_model = false};
const Target kSimulatedFloat{.simulated = true, .machine = {}, .float_model = true};
const Target kBoard{.simulated = false, .machine = "QCS6490 qcom,qcs6490-rb3gen2", .float_model = false};
const Target kUnknownBoard{.simulated = false, .machine = "Some Board", .float_model = true};

HtpOptions read(OptionMap written, const Target& target = kSimulated) {
  const auto options = read_htp_options(with_defaults("htp", std::move(written)), target);
  EXPECT_TRUE(options.ok()) << options.status().message();
  return options.ok() ? *options : HtpOptions{};
}

Status refused(OptionMap written, const Target& target = kSimulated) {
  return read_htp_options(with_defaults("htp", std::move(written)), target).status();
}

// --- options

TEST(HtpOptionsTest, DefaultsNameTheChipAndNothingElse) {
  EXPECT_THAT(read({}).provider,
              ElementsAre(Pair("backend_type", "htp"), Pair("htp_arch", "73"),
                          Pair("offload_graph_io_quantization", "0"), Pair("soc_model", "43")));
  EXPECT_EQ(read({}).soc, "sm8550");
  EXPECT_EQ(read({}).performance_mode, "balanced");
  EXPECT_EQ(read({}).idle_release, from_ms(500));
}

TEST(HtpOptionsTest, ADeviceIsAskedForItsName) {
  EXPECT_EQ(read({}, kBoard).soc, "qcs6490");
  EXPECT_THAT(read({}, kBoard).provider, Contains(Pair("soc_model", "35")));
  const Target nameless{.simulated = false, .machine = "Some Board", .float_model = false};
  EXPECT_THAT(read({}, nameless).provider, Not(Contains(Pair("soc_model", ::testing::_))));
}

TEST(HtpOptionsTest, EveryKeyReachesTheProviderUnderItsName) {
  const auto provider = read({{"vtcm_mb", whole(4)},
                              {"rpc_control_latency_us", whole(100)},
                              {"graph_optimization", whole(3)},
                              {"context_priority", text("high")},
                              {"spill_fill", kTrue},
                              {"profiling", text("detailed")},
                              {"profiling_path", text("p.csv")}})
                            .provider;
  EXPECT_THAT(provider, Contains(Pair("vtcm_mb", "4")));
  EXPECT_THAT(provider, Contains(Pair("rpc_control_latency", "100")));
  EXPECT_THAT(provider, Contains(Pair("htp_graph_finalization_optimization_mode", "3")));
  EXPECT_THAT(provider, Contains(Pair("qnn_context_priority", "high")));
  EXPECT_THAT(provider, Contains(Pair("enable_htp_spill_fill_buffer", "1")));
  EXPECT_THAT(provider, Contains(Pair("profiling_level", "detailed")));
  EXPECT_THAT(provider, Contains(Pair("profiling_file_path", "p.csv")));
  EXPECT_EQ(read({{"performance_mode", text("burst")}}).performance_mode, "burst");
}

// What the provider takes for v68, ignores, or aborts on.
TEST(HtpOptionsTest, NoUnknownValueReachesTheProvider) {
  for (const auto& [name, value] : OptionMap{{"soc", text("sm9999")},
                                             {"arch", text("v99")},
                                             {"performance_mode", text("bogus")},
                                             {"context_priority", text("bogus")},
                                             {"profiling", text("bogus")},
                                             {"vtcm_mb", whole(100)},
                                             {"graph_optimization", whole(9)},
                                             {"rpc_control_latency_us", whole(-1)}}) {
    const Status status = refused({{name, value}});
    EXPECT_EQ(status.code(), Code::kInvalid) << name;
    EXPECT_THAT(status.message(), HasSubstr("'" + name + "'"));
  }
}

TEST(HtpOptionsTest, ContradictionsNameBothSides) {
  EXPECT_THAT(refused({{"soc", text("qcs6490")}, {"arch", text("v73")}}).message(),
              HasSubstr("arch is 'v73', but soc 'qcs6490' has v68"));
  EXPECT_THAT(refused({{"soc", text("qcs6490")}, {"vtcm_mb", whole(4)}}).message(),
              HasSubstr("vtcm_mb is 4, but soc 'qcs6490' has 2 MB"));
  EXPECT_THAT(refused({{"precision", text("fp16")}}).message(), HasSubstr("this one is quantised"));
  EXPECT_THAT(refused({{"profiling", text("basic")}}).message(), HasSubstr("needs profiling_path"));
  EXPECT_EQ(refused({{"profiling", text("basic")}}).code(), Code::kInvalid);
  EXPECT_EQ(read({{"arch", text("v75")}}).arch, 75);  // without a chip
}

TEST(HtpOptionsTest, WhatTheChipCannotDoIsRefused) {
  EXPECT_THAT(read({}, kSimulatedFloat).provider, Contains(Pair("enable_htp_fp16_precision", "1")));
  EXPECT_THAT(read({{"fp16_clamp", kTrue}}, kSimulatedFloat).provider,
              Contains(Pair("enable_htp_fp16_clamp_overflow", "1")));
  const Status v68 = refused({{"soc", text("qcs6490")}}, kSimulatedFloat);
  EXPECT_EQ(v68.code(), Code::kUnavailable);
  EXPECT_THAT(v68.message(), HasSubstr("has no fp16 arithmetic"));
  EXPECT_THAT(refused({}, kUnknownBoard).message(), HasSubstr("write soc"));
  EXPECT_THAT(refused({{"precision", text("fp32")}}, kSimulatedFloat).message(), HasSubstr("not in fp32"));
  EXPECT_THAT(refused({{"dma", kTrue}}).message(), HasSubstr("needs v81, but soc 'sm8550' has v73"));
  EXPECT_THAT(read({{"dma", kTrue}, {"soc", text("sm8850")}}).provider, Contains(Pair("extended_udma", "1")));
}

TEST(HtpSocsTest, NamesAreUniqueAndKnow) {
  for (const HtpSoc& soc : htp_socs()) EXPECT_EQ(find_htp_soc(soc.name), &soc) << soc.name;
  ASSERT_NE(find_htp_soc("qcs6490"), nullptr);
  EXPECT_EQ(find_htp_soc("qcs6490")->number, 35);
  EXPECT_EQ(find_htp_soc("qcs6490")->arch, 68);
  EXPECT_EQ(find_htp_soc("nothing"), nullptr);
  EXPECT_EQ(htp_soc_in("Qualcomm Technologies, Inc. SM8650"), find_htp_soc("sm8650"));
  EXPECT_EQ(htp_soc_in(""), nullptr);
}

// --- votes

class VotesTest : public ::testing::Test {
 protected:
  std::unique_ptr<Votes> votes(TimeNs idle = from_ms(500)) {
    return std::make_unique<Votes>(clock_, "burst", idle, [this](const std::string& mode) {
      calls_.push_back(mode);
      return answer_;
    });
  }
  ManualClock clock_;
  std::vector<std::string> calls_;
  Status answer_;
};

TEST_F(VotesTest, OneVoteServesRunsThatFollowEachOther) {
  const auto v = votes();
  EXPECT_THAT(calls_, IsEmpty());  // an open session that never runs holds none
  for (int run = 0; run < 100; ++run) {
    v->begin_run();
    clock_.advance_to(clock_.now() + from_ms(10));
    v->end_run();
    clock_.advance_to(clock_.now() + from_ms(400));
  }
  EXPECT_THAT(calls_, ElementsAre("burst"));
}

TEST_F(VotesTest, AnIdleSessionReleasesExactlyAfterItsTime) {
  const auto v = votes();
  v->begin_run();
  v->end_run();
  clock_.advance_to(from_ms(300));
  v->begin_run();
  v->end_run();
  clock_.advance_to(from_ms(799));
  EXPECT_THAT(calls_, ElementsAre("burst"));
  clock_.advance_to(from_ms(800));
  EXPECT_THAT(calls_, ElementsAre("burst", "low_power_saver"));
  clock_.advance_to(from_ms(5000));
  v->begin_run();
  v->end_run();
  EXPECT_THAT(calls_, ElementsAre("burst", "low_power_saver", "burst"));
}

TEST_F(VotesTest, ALongRunKeepsItsVote) {
  const auto v = votes();
  v->begin_run();
  v->begin_run();
  v->end_run();
  clock_.advance_to(from_ms(5000));
  EXPECT_THAT(calls_, ElementsAre("burst"));
  v->end_run();
  clock_.advance_to(from_ms(5500));
  EXPECT_THAT(calls_, ElementsAre("burst", "low_power_saver"));
}

TEST_F(VotesTest, NoVoteOutlivesItsSession) {
  auto v = votes();
  v->begin_run();
  v->end_run();
  v.reset();
  EXPECT_THAT(calls_, ElementsAre("burst", "low_power_saver"));
  EXPECT_EQ(clock_.next_due(), kNever);
  votes().reset();  // none held, none released
  EXPECT_EQ(calls_.size(), 2u);
}

TEST_F(VotesTest, ANewSessionIsVotedForAgain) {
  const auto v = votes();
  v->begin_run();
  v->end_run();
  v->forget();
  v->begin_run();
  v->end_run();
  EXPECT_THAT(calls_, ElementsAre("burst", "burst"));
}

TEST_F(VotesTest, AfterAHangTheClockIsLeftAloneAndVotesGoAtOnce) {
  auto v = votes();
  v->begin_run();
  v->end_run();
  v->begin_run();  // hangs
  v->leave_clock();
  EXPECT_EQ(clock_.next_due(), kNever);
  v->end_run();
  EXPECT_THAT(calls_, ElementsAre("burst", "low_power_saver"));
  v->begin_run();
  v->end_run();
  EXPECT_EQ(clock_.next_due(), kNever);
  EXPECT_THAT(calls_, ElementsAre("burst", "low_power_saver", "burst", "low_power_saver"));
}

TEST_F(VotesTest, AVoteThatFailsIsOneWarning) {
  LogCapture log;
  answer_ = failed("no such mode");
  const auto v = votes(0);
  for (int run = 0; run < 3; ++run) {
    v->begin_run();
    v->end_run();
    clock_.advance_to(clock_.now() + 1);
  }
  EXPECT_THAT(log.warnings(),
              ElementsAre(AllOf(HasSubstr("'burst' could not be set"), HasSubstr("no such mode"))));
}

// --- files and devices

TEST(HtpProviderFiles, EachMissingLibraryIsNamed) {
  ScratchFolder scratch;
  EXPECT_THAT(find_provider({scratch / "none", scratch / "nothing"}).status().message(),
              AllOf(HasSubstr("libonnxruntime_providers_qnn.so"), HasSubstr(scratch / "none"),
                    HasSubstr(scratch / "nothing"), HasSubstr("SLUICE_QNN")));
  EXPECT_THAT(find_provider({}).status().message(), HasSubstr("not in any known folder"));
  scratch.write("libonnxruntime_providers_qnn.so", "");
  EXPECT_THAT(find_provider({scratch / ""}).status().message(),
              HasSubstr("libQnnHtp.so, libQnnSystem.so are missing in"));
  scratch.write("libQnnHtp.so", "");
  EXPECT_THAT(find_provider({scratch / ""}).status().message(), HasSubstr("libQnnSystem.so is missing in"));
  scratch.write("libQnnSystem.so", "");
  const auto files = find_provider({scratch / "none", scratch / ""});
  ASSERT_TRUE(files.ok());
  EXPECT_THAT(files->backend, HasSubstr("/libQnnHtp.so"));
  // A file that is there and no library.
  EXPECT_THAT(Provider::open(*files).status().message(), HasSubstr("libQnnHtp.so"));
}

class DeviceTest : public ::testing::Test {
 protected:
  void add(const std::string& path, const std::string& text = "") {
    fs::create_directories(fs::path(root_ / path).parent_path());
    root_.write(path, text);
  }
  DeviceState look(const std::string& search = "", const std::string& provider = "") {
    return look_at_device(root_ / "", search, provider);
  }
  // The provider's folder is "qnn" under the root.
  Places places(const std::string& search = "") {
    return {root_ / "", {root_ / "none", root_ / "qnn"}, search, false};
  }
  // A whole device, each of its libraries of `release`.
  void add_device(const std::string& release = "2.51.0.260929181845") {
    add("dev/fastrpc-cdsp");
    add("usr/lib/libcdsprpc.so");
    add("skel/libQnnHtpV68Skel.so", "..v" + release);
    for (const char* file : {"qnn/libonnxruntime_providers_qnn.so", "qnn/libQnnHtp.so", "qnn/libQnnSystem.so",
                             "qnn/libQnnHtpV68Stub.so"})
      add(file, "ELF v" + release + ".%s");
  }
  static std::vector<std::string> problems(const std::vector<Part>& parts) {
    std::vector<std::string> out;
    for (const Part& part : parts)
      if (!part.problem.empty()) out.push_back(part.name);
    return out;
  }
  static std::string problem(const std::vector<Part>& parts, const std::string& name) {
    for (const Part& part : parts)
      if (part.name == name) return part.problem;
    return "no such part";
  }
  ScratchFolder root_;
};

TEST_F(DeviceTest, EverythingThatIsMissingIsNamedAtOnce) {
  const auto parts = look_at_parts(places());
  EXPECT_THAT(problems(parts),
              ElementsAre("libonnxruntime_providers_qnn.so", "libQnnHtp.so", "libQnnSystem.so",
                          "FastRPC node", "libcdsprpc.so", "libQnnHtpV*Skel.so"));
  const Status status = check_parts(parts);
  EXPECT_EQ(status.code(), Code::kUnavailable);
  for (const char* word :
       {"libonnxruntime_providers_qnn.so", "libQnnHtp.so", "libQnnSystem.so", "SLUICE_QNN",
        "/dev/fastrpc-cdsp", "/dev/adsprpc-smd", "libQnnHtpV*Skel.so", "ADSP_LIBRARY_PATH"})
    EXPECT_THAT(status.message(), HasSubstr(word));
  EXPECT_THAT(status.message(), Not(HasSubstr("libcdsprpc.so")));  // a hint: it may lie elsewhere
  EXPECT_THAT(problem(parts, "libcdsprpc.so"), HasSubstr("/usr/lib, "));
}

TEST_F(DeviceTest, AWholeDeviceHasNoProblem) {
  add_device();
  const auto parts = look_at_parts(places("/skel"));
  EXPECT_THAT(problems(parts), IsEmpty());
  EXPECT_TRUE(check_parts(parts).ok());
  EXPECT_EQ(parts.back().name, "libQnnHtpV68Stub.so");
  const Part release = compare_releases(places("/skel"));
  EXPECT_EQ(release.found, "2.51.0.260929181845");
  EXPECT_EQ(release.problem, "");
}

TEST_F(DeviceTest, EachPartIsMissedAlone) {
  for (const char* file :
       {"qnn/libQnnHtp.so", "qnn/libQnnSystem.so", "qnn/libonnxruntime_providers_qnn.so",
        "usr/lib/libcdsprpc.so", "qnn/libQnnHtpV68Stub.so", "skel/libQnnHtpV68Skel.so", "dev/fastrpc-cdsp"}) {
    add_device();
    fs::remove(root_ / file);
    EXPECT_EQ(problems(look_at_parts(places("/skel"))).size(), 1u) << file;
  }
}

TEST_F(DeviceTest, LibrariesOfDifferentReleasesAreAWarning) {
  add_device();
  add("skel/libQnnHtpV68Skel.so", "2.40.0.250101000000");
  const Part release = compare_releases(places("/skel"));
  EXPECT_FALSE(release.needed);
  EXPECT_THAT(release.problem, AllOf(HasSubstr("libQnnHtp.so is of 2.51.0.260929181845"),
                                     HasSubstr("libQnnHtpV68Skel.so is of 2.40.0.250101000000"),
                                     HasSubstr("one QAIRT release")));
}

TEST_F(DeviceTest, SaysWhetherMemoryIsShared) {
  const auto shared = [](const Places& where) {
    for (const Part& part : look_at_parts(where))
      if (part.name == "shared memory") return part.found;
    return std::string("not said");
  };
  EXPECT_EQ(shared(places()), "none: it is libcdsprpc.so's to lend; inputs and outputs are copied");
  add_device();
  EXPECT_EQ(shared(places("/skel")), "rpcmem of libcdsprpc.so");
  Places simulated = places();
  simulated.simulated = true;
  EXPECT_THAT(shared(simulated), AllOf(HasSubstr("none: Qualcomm's simulator"), HasSubstr("are copied")));
}

TEST_F(DeviceTest, TheSimulatorNeedsItsLibrariesOnly) {
  Places simulated = places();
  simulated.simulated = true;
  EXPECT_EQ(problems(look_at_parts(simulated)).size(), 3u);
  add_device();
  EXPECT_THAT(problems(look_at_parts(simulated)), IsEmpty());
}

TEST(QairtRelease, IsFoundWhereverItStands) {
  using namespace std::string_view_literals;
  EXPECT_EQ(qairt_release_in("x\0v2.51.0.260929181845\0"sv), "2.51.0.260929181845");
  EXPECT_EQ(qairt_release_in("2.51.0.260929181845"), "2.51.0.260929181845");
  for (const char* none : {"", ".", "2.51.0", "51.0.260929181845", "1.2.3.4.260929181845", ".260929181845"})
    EXPECT_EQ(qairt_release_in(none), "") << none;
}

TEST_F(DeviceTest, TheSkeletonIsLookedForInTheLoadersOrder) {
  const DeviceState none = look("/opt/skel;;/data/skel", "/opt/qnn");
  EXPECT_THAT(none.searched,
              ::testing::IsSupersetOf({"/opt/skel", "/data/skel", "/opt/qnn", "/usr/lib/rfsa/adsp"}));
  EXPECT_EQ(none.searched[0], "/opt/skel");
  EXPECT_EQ(none.searched[1], "/data/skel");
  EXPECT_THAT(problem(look_at_parts(places("/opt/skel;/data/skel")), "libQnnHtpV*Skel.so"),
              AllOf(HasSubstr("/opt/skel, /data/skel"), HasSubstr("ADSP_LIBRARY_PATH")));
  add("data/skel/libQnnHtpV68Skel.so");
  add("data/skel/libOther.so");
  EXPECT_THAT(look("/opt/skel;/data/skel").skeletons, ElementsAre("/data/skel/libQnnHtpV68Skel.so"));
}

TEST_F(DeviceTest, ANodeThatMayNotBeOpenedIsNamed) {
  DeviceState state = look();
  state.nodes = state.unusable = {"/dev/fastrpc-cdsp"};
  EXPECT_THAT(node_part(state).problem, HasSubstr("/dev/fastrpc-cdsp may not be opened by this user"));
}

TEST_F(DeviceTest, TheMachineSaysItsName) {
  EXPECT_EQ(htp_soc_in(machine_name(root_ / "")), nullptr);
  add("sys/firmware/devicetree/base/compatible", std::string("qcom,rb3gen2\0qcom,qcs6490\0", 26));
  EXPECT_EQ(htp_soc_in(machine_name(root_ / "")), find_htp_soc("qcs6490"));
  add("sys/devices/soc0/machine", "SM8550\n");
  EXPECT_EQ(htp_soc_in(machine_name(root_ / "")), find_htp_soc("sm8550"));
}

TEST(HtpContextEntry, PlacementTravelsWithTheModel) {
  ContextEntry entry;
  entry.placement = {.total = 12, .on_backend = 10, .elsewhere = {{"cpu", 2}}, .reasons = {"two\nlines"}};
  entry.model = std::string("\n\0model", 7);
  const auto again = unpack_entry(pack_entry(entry));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->placement.total, 12);
  EXPECT_EQ(again->placement.on_backend, 10);
  EXPECT_EQ(again->placement.elsewhere, entry.placement.elsewhere);
  EXPECT_THAT(again->placement.reasons, ElementsAre("two lines"));
  EXPECT_EQ(again->model, entry.model);
  for (const char* bad : {"", "model", "operators 1\n\n", "operators -1 2\n\nm", "operators 1 1\nother\n\nm"})
    EXPECT_FALSE(unpack_entry(bad).ok()) << bad;
}

TEST(HtpCompiledFor, ChipAndVersionMustFit) {
  const CompiledFor made{.qairt = "2.51.0", .arch = 73, .soc = 43};
  EXPECT_TRUE(check_compiled_for(made, 43, 73, "2.51.0.260929181845").ok());
  EXPECT_TRUE(check_compiled_for(made, 0, 0, "").ok());
  EXPECT_TRUE(check_compiled_for({}, 43, 73, "2.51.0").ok());
  EXPECT_TRUE(check_compiled_for(made, 43, 73, "2.52.1").ok());
  EXPECT_THAT(check_compiled_for(made, 35, 68, "2.51.0").message(),
              HasSubstr("this is SoC 35 (qcs6490), v68"));
  EXPECT_THAT(check_compiled_for(made, 43, 73, "2.50.9").message(),
              HasSubstr("by QAIRT 2.51.0, this is 2.50.9"));
}

}  // namespace
}  // namespace sluice::htp
