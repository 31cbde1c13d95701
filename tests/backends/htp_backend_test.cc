// Backend htp on Qualcomm's own library and simulator.
#include "backends/htp/htp_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "backends/cache/artifact_format.h"
#include "backends/cpu/cpu_backend.h"
#include "framework/node/htp_socs.h"
#include "tests/backends/htp_models.h"
#include "tests/backends/log_capture.h"
#include "tests/inference/support.h"
#include "tests/runtime/file_limit.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace sluice::testing;
namespace fs = std::filesystem;

std::vector<float> ramp(std::size_t count) {
  std::vector<float> out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = std::sin(static_cast<float>(i) * 0.37f) * 1.5f;
  return out;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The two parts that pack_artifact() put together behind magic, hash and lengths.
void split_artifact(const std::string& bytes, std::string& key_text, std::string& payload) {
  constexpr std::size_t kLengths = 8 + 64, kHeader = kLengths + 4 + 8;
  std::uint32_t key_length = 0;
  ASSERT_GT(bytes.size(), kHeader);
  std::memcpy(&key_length, bytes.data() + kLengths, sizeof key_length);
  key_text = bytes.substr(kHeader, key_length);
  payload = bytes.substr(kHeader + key_length);
}

class HtpBackendTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!htp::kSimulator) GTEST_SKIP() << "Qualcomm's simulator is an x86-64 library";
    renew();
  }
  // Another process's view: the same folder, nothing remembered.
  void renew() { use(scratch_ / "artifacts"); }
  void use(const std::string& cache) {
    cache_ = std::make_shared<ArtifactCache>(cache);
    HtpSetup setup;
    setup.clock = &clock_;
    setup.cache = cache_;
    backend_ = make_htp_backend(std::move(setup));
  }
  SessionRequest request(const std::string& path, OptionMap options = {},
                         const std::string& fallback = "error") {
    SessionRequest out;
    out.model = request_for(path);
    out.backend = "htp";
    out.options = std::move(options);
    out.on_fallback = fallback;
    out.keep_float = {"x", "y"};
    return out;
  }
  std::unique_ptr<Session> must_open(const SessionRequest& wanted) {
    auto session = backend_->open(wanted);
    EXPECT_TRUE(session.ok()) << session.status().message();
    return session.ok() ? std::move(*session) : nullptr;
  }
  std::string why_not(const SessionRequest& wanted, Code code = Code::kUnavailable) {
    const auto session = backend_->open(wanted);
    EXPECT_EQ(session.status().code(), code);
    return session.status().message();
  }
  static std::vector<float> result_of(Session& session) {
    RunTensors tensors(session.signature());
    tensors.inputs[0].set(ramp(tensors.inputs[0].tensor.bytes / sizeof(float)));
    const Status status = session.run(0, tensors.in, tensors.out);
    EXPECT_TRUE(status.ok()) << status.message();
    return tensors.outputs[0].values<float>();
  }
  std::string write_model(const ModelBuilder& model, const std::string& name = "m.onnx") {
    return scratch_.write(name, model.bytes());
  }
  fs::path only_entry() {
    fs::path found;
    int count = 0;
    for (const auto& entry : fs::directory_iterator(scratch_ / "artifacts")) {
      found = entry.path();
      ++count;
    }
    EXPECT_EQ(count, 1);
    return found;
  }

  SteadyClock clock_;
  ScratchFolder scratch_;
  std::shared_ptr<ArtifactCache> cache_;
  std::unique_ptr<Backend> backend_;
  LogCapture log_;
};

TEST_F(HtpBackendTest, RunsTheWholeGraphAndSaysThatItIsSimulated) {
  ASSERT_TRUE(backend_->available().ok()) << backend_->available().message();
  EXPECT_TRUE(backend_->simulated());
  EXPECT_THAT(backend_->version(), AllOf(HasSubstr("QAIRT 2."), HasSubstr("simulator")));
  const std::string path = write_model(npu_model());
  const auto session = must_open(request(path));
  ASSERT_NE(session, nullptr);
  EXPECT_TRUE(session->simulated());
  EXPECT_EQ(session->kind(), RunKind::kWaits);
  const Placement placement = session->placement();
  EXPECT_GT(placement.total, 5);
  EXPECT_EQ(placement.on_backend, placement.total);
  EXPECT_TRUE(placement.elsewhere.empty());

  SessionRequest on_cpu = request(path);
  on_cpu.backend = "cpu";
  const auto cpu = make_cpu_backend()->open(on_cpu);
  ASSERT_TRUE(cpu.ok());
  const auto npu = result_of(*session), expected = result_of(**cpu);
  for (std::size_t i = 0; i < npu.size(); ++i)
    EXPECT_NEAR(npu[i], expected[i], 2.01f / 8192) << i;  // one unit per operator
  EXPECT_THAT(log_.warnings(), IsEmpty());
}

TEST_F(HtpBackendTest, ReadsAndWritesIntegersWhereThePlanUsesThem) {
  SessionRequest wanted = request(write_model(npu_model()));
  const auto as_float = must_open(wanted);
  wanted.keep_float = {};
  const auto as_integers = must_open(wanted);
  ASSERT_TRUE(as_float && as_integers);
  EXPECT_EQ(as_integers->signature().inputs[0].dtype, DType::kUint16);
  RunTensors tensors(as_integers->signature());
  std::vector<std::uint16_t> quantised;
  for (const float v : ramp(4 * 6 * 6))
    quantised.push_back(static_cast<std::uint16_t>(std::nearbyint(v * 16384) + 32768));
  tensors.inputs[0].set(quantised);
  ASSERT_TRUE(as_integers->run(0, tensors.in, tensors.out).ok());
  const auto integers = tensors.outputs[0].values<std::uint16_t>();
  const auto floats = result_of(*as_float);
  for (std::size_t i = 0; i < floats.size(); ++i)
    EXPECT_EQ(integers[i] - 32768, std::lround(floats[i] * 8192)) << i;
}

// --- what it cannot take

TEST_F(HtpBackendTest, NoOperatorGoesToTheCpuUnlessThatIsAllowed) {
  const std::string path = write_model(split_model());
  EXPECT_THAT(why_not(request(path)), AllOf(HasSubstr("cannot take every operator"), HasSubstr("Shrink_y"),
                                            HasSubstr("type: Shrink")));
  const auto session = must_open(request(path, {}, "warn"));
  ASSERT_NE(session, nullptr);
  const Placement placement = session->placement();
  EXPECT_GT(placement.on_backend, 0);
  EXPECT_GT(placement.elsewhere.at("cpu"), 0);
  ASSERT_EQ(placement.reasons.size(), 1u);
  EXPECT_THAT(placement.reasons[0], AllOf(HasSubstr("Unsupported nodes in QNN EP"), HasSubstr("Shrink_y")));
  const auto first = result_of(*session);
  renew();  // from the cache: the same in every respect
  const auto again = must_open(request(path, {}, "warn"));
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(cache_->counts().hits, 1u);
  EXPECT_EQ(again->placement().on_backend, placement.on_backend);
  EXPECT_EQ(again->placement().elsewhere, placement.elsewhere);
  EXPECT_EQ(again->placement().reasons, placement.reasons);
  EXPECT_EQ(result_of(*again), first);
}

TEST_F(HtpBackendTest, EveryOperatorThatItCannotTakeIsNamed) {
  ModelBuilder model;
  model.input("x", {1, 4, 6, 6}).output("y", {1, 4, 6, 6});
  add_qdq(model, "x", "xd", 1.0f / 16384);
  model.node("Relu", {"xd"}, {"r"});
  add_qdq(model, "r", "rd", 1.0f / 16384);
  model.node("Shrink", {"rd"}, {"s"}).node("Softsign", {"s"}, {"y"});
  EXPECT_THAT(why_not(request(write_model(model))),
              AllOf(HasSubstr("type: Shrink }"), HasSubstr("type: Softsign }")));
}

// The provider says at every session that this is not Windows.
TEST_F(HtpBackendTest, IntegerOperatorsAreAnsweredWithWhatToDo) {
  const std::string why = why_not(request(write_model(integer_operator_model())));
  EXPECT_THAT(why, AllOf(HasSubstr("1 MatMulInteger"), HasSubstr("(QDQ): export it in that form"),
                         HasSubstr("'sluice quantize' on the float model")));
  EXPECT_THAT(why_not(request(write_model(split_model()))), ::testing::Not(HasSubstr("QDQ")));
}

TEST_F(HtpBackendTest, WhatIsSaidAlwaysIsNoReason) {
  ModelBuilder model;
  model.input("x", {1, 4, 8, 8}).output("y", {1, 4, 8, 8});
  add_qdq(model, "x", "xd", 1.0f / 16384);
  model.weight(tensor<std::uint16_t>("kq", onnx::kUint16, {4, 1, 1}, {100, 200, 300, 400}))
      .scale("ks", 0.001f)
      .weight(tensor<std::uint16_t>("kz", onnx::kUint16, {}, {0}))
      .node("DequantizeLinear", {"kq", "ks", "kz"}, {"k"})
      .node("PRelu", {"xd", "k"}, {"r"});
  add_qdq(model, "r", "y", 1.0f / 16384);
  EXPECT_THAT(why_not(request(write_model(model))),
              AllOf(HasSubstr("QNN_COMMON_ERROR_MEM_ALLOC"), HasSubstr("cannot compile for the chip"),
                    ::testing::Not(HasSubstr("File mapped weights"))));
}

TEST_F(HtpBackendTest, AModelWithoutASupportedOperatorIsRefused) {
  ModelBuilder model;
  model.input("x", {1, 4}).output("y", {1, 4}).node("Shrink", {"x"}, {"y"});
  EXPECT_THAT(why_not(request(write_model(model), {}, "allow")),
              AllOf(HasSubstr("takes none of the 1 operators"), HasSubstr("the model's are Shrink")));
}

TEST_F(HtpBackendTest, AFreeDimensionWithoutANameIsFixedByItsPlace) {
  SessionRequest wanted = request(write_model(relu_model({"", "", 6, 6})));
  wanted.model.dims = {{"x.1", 4}, {"y.1", 4}};
  wanted.batch = 2;
  EXPECT_TRUE(must_open(wanted));
}

TEST_F(HtpBackendTest, AFreeBatchIsFixedToWhatIsGathered) {
  SessionRequest wanted = request(write_model(npu_model("N")));
  const auto one = must_open(wanted);
  wanted.batch = 2;
  const auto two = must_open(wanted);
  ASSERT_TRUE(one && two);
  EXPECT_TRUE(two->static_batch());
  EXPECT_EQ(cache_->counts().stored, 2u);  // one artefact each
  const auto single = result_of(*one);
  std::vector<std::byte> in(2 * 144 * 4), out(in.size());
  const auto values = ramp(144);
  std::memcpy(in.data(), values.data(), 144 * 4);
  std::memcpy(in.data() + 144 * 4, values.data(), 144 * 4);
  Tensor input{.type = std::make_shared<const TensorType>(two->signature().inputs[0])};
  Tensor output{.type = std::make_shared<const TensorType>(two->signature().outputs[0])};
  input.data = in.data();
  output.data = out.data();
  input.bytes = output.bytes = in.size();
  const Tensor* inputs[] = {&input};
  Tensor* outputs[] = {&output};
  ASSERT_TRUE(two->run(0, inputs, outputs).ok());
  for (int item = 0; item < 2; ++item)
    EXPECT_EQ(std::memcmp(out.data() + item * 144 * 4, single.data(), 144 * 4), 0);
}

// --- chips and precision

TEST_F(HtpBackendTest, FloatModelsRunInHalfPrecisionWhereTheChipHasIt) {
  const std::string path = write_model(float_model());
  const auto session = must_open(request(path));
  ASSERT_NE(session, nullptr);
  SessionRequest on_cpu = request(path);
  on_cpu.backend = "cpu";
  const auto cpu = make_cpu_backend()->open(on_cpu);
  const auto npu = result_of(*session), expected = result_of(**cpu);
  for (std::size_t i = 0; i < npu.size(); ++i) EXPECT_NEAR(npu[i], expected[i], 5e-3f) << i;
  EXPECT_THAT(why_not(request(path, {{"soc", {std::string("qcs6490")}}})),
              AllOf(HasSubstr("soc 'qcs6490' (v68) has no fp16"), HasSubstr("quantise")));
  EXPECT_THAT(why_not(request(path, {{"precision", {std::string("fp32")}}})),
              HasSubstr("in fp16, not in fp32"));
}

TEST_F(HtpBackendTest, AFailureInSinglePrecisionSaysWhatToDo) {
  ModelBuilder model;
  model.weight(tensor<float>("w", onnx::kFloat, {4, 4, 3, 3}, std::vector<float>(144, 0.25f)));
  model.input("x", {1, 4, 6, 6}).output("y", {1, 4, 4, 4}).node("Conv", {"x", "w"}, {"y"});
  const OptionMap v68 = {{"soc", {std::string("qcs6490")}}, {"precision", {std::string("fp32")}}};
  EXPECT_THAT(why_not(request(write_model(model), v68)), HasSubstr("run 'sluice quantize' on it"));
}

TEST_F(HtpBackendTest, EveryChipOfTheTableIsKnownToTheLibraryAndOfItsClass) {
  const std::string path = write_model(npu_model());
  std::map<HtpClass, std::vector<float>> by_class;
  for (const HtpSoc& soc : htp_socs()) {
    SCOPED_TRACE(soc.name);
    const auto session = must_open(request(path, {{"soc", {std::string(soc.name)}}}));
    ASSERT_NE(session, nullptr);
    const auto result = result_of(*session);
    const auto first = by_class.try_emplace(htp_class(soc.arch), result).first;
    EXPECT_EQ(result, first->second);
  }
  EXPECT_EQ(by_class.size(), 3u);
}

// --- the cache

TEST_F(HtpBackendTest, ASecondProcessLoadsWhatTheFirstCompiled) {
  const std::string path = write_model(npu_model());
  const auto compiled = must_open(request(path));
  ASSERT_NE(compiled, nullptr);
  EXPECT_EQ(cache_->counts().stored, 1u);
  const auto expected = result_of(*compiled);
  renew();
  const auto loaded = must_open(request(path));
  ASSERT_NE(loaded, nullptr);
  EXPECT_EQ(cache_->counts().hits, 1u);
  EXPECT_EQ(cache_->counts().stored, 0u);
  EXPECT_EQ(result_of(*loaded), expected);
  EXPECT_EQ(loaded->placement().total, compiled->placement().total);
  // Another chip, option or model is another entry.
  must_open(request(path, {{"soc", {std::string("qcs6490")}}}));
  must_open(request(path, {{"graph_optimization", {std::int64_t{3}}}}));
  must_open(request(write_model(npu_model("N"))));
  EXPECT_EQ(cache_->counts().hits, 1u);
  EXPECT_EQ(cache_->counts().stored, 3u);
}

TEST_F(HtpBackendTest, OnAFullDiskASessionRunsAndACompilationSaysWhy) {
  const SessionRequest wanted = request(write_model(npu_model()));
  const auto expected = result_of(*must_open(wanted));
  fs::remove_all(scratch_ / "artifacts");
  renew();
  {
    const FileLimit full(4096);
    const auto session = must_open(wanted);
    ASSERT_NE(session, nullptr);
    EXPECT_EQ(result_of(*session), expected);
    const auto compiled = backend_->compile(wanted);
    EXPECT_EQ(compiled.status().code(), Code::kFailed);
    EXPECT_THAT(compiled.status().message(),
                AllOf(HasSubstr("no room for the compiled model"), HasSubstr("TMPDIR")));
  }
  ASSERT_EQ(log_.warnings().size(), 1u);
  EXPECT_THAT(log_.warnings()[0], AllOf(HasSubstr("not kept"), HasSubstr("TMPDIR")));
  EXPECT_EQ(cache_->counts().stored, 0u);
  must_open(wanted);
  EXPECT_EQ(cache_->counts().stored, 1u);  // once there is room again
}

TEST_F(HtpBackendTest, AnEntryOfAnotherReleaseIsMadeAgainWithOneWarning) {
  const SessionRequest wanted = request(write_model(npu_model()));
  const auto expected = result_of(*must_open(wanted));
  std::string made_from, payload;
  split_artifact(read_file(only_entry()), made_from, payload);
  const std::size_t release = made_from.find("provider=QAIRT 2.");
  ASSERT_NE(release, std::string::npos) << made_from;
  made_from.replace(release, 17, "provider=QAIRT 1.");
  std::ofstream(only_entry(), std::ios::binary | std::ios::trunc) << pack_artifact(made_from, payload);
  renew();
  EXPECT_EQ(result_of(*must_open(wanted)), expected);
  EXPECT_EQ(cache_->counts().hits, 0u);
  EXPECT_EQ(cache_->counts().stored, 1u);
  ASSERT_EQ(log_.warnings().size(), 1u);
  EXPECT_THAT(log_.warnings()[0], AllOf(HasSubstr("'provider=QAIRT 1."), HasSubstr("not 'provider=QAIRT 2."),
                                        HasSubstr("it is made again")));
  must_open(wanted);  // in place of the old one
  EXPECT_EQ(cache_->counts().hits, 1u);
}

TEST_F(HtpBackendTest, WithoutACacheItCompilesEachTime) {
  use("");
  const std::string path = write_model(npu_model());
  const auto first = must_open(request(path)), second = must_open(request(path));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(cache_->counts().misses, 2u);
  EXPECT_EQ(result_of(*first), result_of(*second));
  EXPECT_THAT(log_.warnings(), IsEmpty());
}

// The provider loads damaged contexts and computes something else; ours are refused by their hash. `rounds`
// times: an intact entry loads without compiling, a damaged one is made again with equal output.
void corrupt_and_rebuild(ArtifactCache& cache, const std::function<std::vector<float>()>& open_and_run,
                         const fs::path& entry, std::uint64_t rounds) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto expected = open_and_run();
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const ArtifactCache::Counts before = cache.counts();
    ASSERT_EQ(open_and_run(), expected);
    ASSERT_EQ(cache.counts().hits, before.hits + 1) << "an intact entry";
    ASSERT_EQ(cache.counts().stored, before.stored);
    std::string bytes = read_file(entry);
    for (int i = 0; i < 16; ++i) bytes[random() % bytes.size()] ^= static_cast<char>(1 + random() % 255);
    std::ofstream(entry, std::ios::binary | std::ios::trunc) << bytes;
    ASSERT_EQ(open_and_run(), expected);
    ASSERT_EQ(cache.counts().hits, before.hits + 1) << "a damaged entry was loaded, round " << round;
    ASSERT_EQ(cache.counts().rejected, before.rejected + 1);
    ASSERT_EQ(cache.counts().stored, before.stored + 1);
  }
}

TEST_F(HtpBackendTest, DamagedContextsAreMadeAgainAndNeverLoaded) {
  const SessionRequest wanted = request(write_model(npu_model()));
  must_open(wanted);
  corrupt_and_rebuild(*cache_, [&] { return result_of(*must_open(wanted)); }, only_entry(), 10);
}

class HtpBackendSlowTest : public HtpBackendTest {};

TEST_F(HtpBackendSlowTest, TwoHundredDamagedContextsAreMadeAgainAndNeverLoaded) {
  if (!std::getenv("SLUICE_NIGHTLY")) GTEST_SKIP() << "minutes; tools/dev nightly runs it";
  const SessionRequest wanted = request(write_model(npu_model()));
  must_open(wanted);
  corrupt_and_rebuild(*cache_, [&] { return result_of(*must_open(wanted)); }, only_entry(), 200);
}

// --- models that were compiled before

TEST_F(HtpBackendTest, ACompiledModelRunsAsAModel) {
  const std::string path = write_model(npu_model());
  const auto expected = result_of(*must_open(request(path)));
  const auto bytes = backend_->compile(request(path));
  ASSERT_TRUE(bytes.ok()) << bytes.status().message();
  const std::string compiled = scratch_.write("compiled.onnx", *bytes);
  const auto session = must_open(request(compiled));
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(result_of(*session), expected);
  EXPECT_THAT(backend_->compile(request(compiled)).status().message(), HasSubstr("is compiled already"));
}

TEST_F(HtpBackendTest, ACompiledModelForAnotherChipOrVersionIsRefused) {
  const auto bytes = backend_->compile(request(write_model(npu_model())));
  ASSERT_TRUE(bytes.ok()) << bytes.status().message();
  const std::string compiled = scratch_.write("compiled.onnx", *bytes);
  EXPECT_THAT(why_not(request(compiled, {{"soc", {std::string("qcs6490")}}})),
              AllOf(HasSubstr("was compiled for SoC 43 (sm8550), v73"), HasSubstr("SoC 35 (qcs6490), v68")));
  std::string newer = *bytes;
  const std::size_t at = newer.find("v2:6:2.");
  ASSERT_NE(at, std::string::npos);
  newer[at + 5] = '9';
  EXPECT_THAT(why_not(request(scratch_.write("newer.onnx", newer))),
              AllOf(HasSubstr("was compiled by QAIRT 9."), HasSubstr("compile it again")));
  EXPECT_EQ(backend_->open(request(scratch_.write("cut.onnx", bytes->substr(0, bytes->size() / 2))))
                .status()
                .code(),
            Code::kUnavailable);
}

// --- the process

long memory_kib() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("VmRSS:")) return std::atol(line.c_str() + 6);
  return 0;
}

long count_of(const char* folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

TEST_F(HtpBackendTest, FiftySessionsLeaveNothingBehind) {
  const SessionRequest wanted = request(write_model(npu_model()));
  must_open(wanted);
  long threads = 0, files = 0, memory = 0;
  for (int cycle = 1; cycle <= 50; ++cycle) {
    result_of(*must_open(wanted));
    if (cycle == 1) {
      threads = count_of("/proc/self/task");
      files = count_of("/proc/self/fd");
    }
    if (cycle == 6) memory = memory_kib();
  }
  EXPECT_EQ(count_of("/proc/self/task"), threads);
  EXPECT_EQ(count_of("/proc/self/fd"), files);
  EXPECT_LE(memory_kib() - memory, 10 * 1024);
}

// The library prints a line to standard output while it is loaded; a fresh process shows it.
TEST(HtpProcess, WhatTheLibraryPrintsGoesToTheLogOnly) {
  if (!htp::kSimulator) GTEST_SKIP();
  ScratchFolder scratch;
  const std::string path = scratch / "stdout";
  const std::string command = fs::read_symlink("/proc/self/exe").string() +
                              " --gtest_brief=1 --gtest_filter=HtpProcess.DISABLED_LoadsTheProvider "
                              "--gtest_also_run_disabled_tests > " +
                              path + " 2> " + (scratch / "stderr");
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_THAT(read_file(path), AllOf(HasSubstr("before\nafter\n"), ::testing::Not(HasSubstr("LIBNATIVE"))));
  EXPECT_EQ(read_file(scratch / "stderr"), "debug: LIBNATIVE\n");
}

TEST(HtpProcess, DISABLED_LoadsTheProvider) {
  set_log_sink([](LogLevel level, std::string_view message) {
    const bool known = message.find("libQnnHtp.so was loaded:  # LIBNATIVE") != std::string_view::npos;
    std::fprintf(stderr, "%s: %s\n", level == LogLevel::kDebug ? "debug" : "louder",
                 known ? "LIBNATIVE" : std::string(message).c_str());
  });
  std::printf("before\n");
  EXPECT_TRUE(htp::Provider::get().ok());
  std::printf("after\n");
  set_log_sink(nullptr);
}

}  // namespace
}  // namespace sluice
