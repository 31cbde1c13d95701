// A recorded run's decisions, made again from its recording alone: bit for bit, whatever happens meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>

#include "framework/core/log.h"
#include "nodes/app_ends.h"
#include "runtime/builtin.h"
#include "runtime/engine.h"
#include "runtime/pipeline.h"
#include "runtime/selection_record.h"
#include "tests/inference/support.h"

namespace sluice {
namespace {

using namespace sluice::testing;
using ::testing::Contains;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using Set = std::vector<std::pair<std::string, std::string>>;

std::string decisions(const RunReport& report) {
  return nlohmann::ordered_json::parse(to_json(report))["inference"][0]["decisions"].dump(1);
}

// The lines of one run; from any thread.
class Lines {
 public:
  std::function<void(const std::string&)> taker() {
    return [this](const std::string& line) {
      std::lock_guard lock(mutex_);
      lines_.push_back(line);
    };
  }
  // A recording of `first` lines, all by default.
  std::string file(const ScratchFolder& folder, bool whole = true, std::size_t first = SIZE_MAX) {
    std::string text;
    for (std::size_t i = 0; i < std::min(first, lines_.size()); ++i) text += lines_[i] + "\n";
    if (whole) text += selection_end_line(0) + "\n";
    return folder.write("readings.jsonl", text);
  }
  const std::vector<std::string>& all() const { return lines_; }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

// --- a simulated run

Result<RunReport> simulated(const std::string& device, const std::string& fake, Lines* lines = nullptr,
                            const Set& more = {}, std::optional<double> ambient_c = {}) {
  Set set = {
      {"camera.loop", "true"}, {"face.backends", "[fake, cpu]"}, {"face.dwell_s", "0"}, {"face.fake", fake}};
  set.insert(set.end(), more.begin(), more.end());
  SLUICE_ASSIGN(Pipeline pipeline,
                Pipeline::load("pipelines/face_fast.yaml", builtin_registry(), {set, "30"}));
  RunOptions options;
  options.device = device;
  options.duration_s = 60;
  options.ambient_c = ambient_c;
  if (lines) options.record = lines->taker();
  SLUICE_RETURN_IF_ERROR(pipeline.start(options));
  SLUICE_RETURN_IF_ERROR(pipeline.wait());
  return pipeline.report();
}

class SimulatedReplay : public ::testing::Test {
 protected:
  void SetUp() override {
    auto report = simulated("sim:qcs6490", "{latency_ms: 3, fail_at: [100, 300, 700]}", &lines_);
    ASSERT_TRUE(report.ok()) << report.status().message();
    recorded_ = decisions(*report);
    ASSERT_GE(report->inference[0].decisions.size(), 5u);
  }
  // Of a run in which nothing fails.
  Result<RunReport> replayed(const std::string& file, const Set& more = {}) {
    return simulated("trace:" + file, "{latency_ms: 3}", nullptr, more);
  }

  ScratchFolder folder_;
  Lines lines_;
  std::string recorded_;
};

TEST_F(SimulatedReplay, DecidesTheSameThoughNothingFails) {
  const auto alone = simulated("sim:qcs6490", "{latency_ms: 3}");
  ASSERT_TRUE(alone.ok());
  EXPECT_EQ(alone->inference[0].decisions.size(), 1u) << "without the recording it has no reason to";
  const auto again = replayed(lines_.file(folder_));
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(decisions(*again), recorded_);
  EXPECT_TRUE(again->simulated);
}

// The frame that failed fails again, on the backend on which it did, and what answers it comes after it.
TEST_F(SimulatedReplay, WithTheSameFaultsItIsTheSameRun) {
  const std::string faults =
      "{latency_ms: 5, heat_w: 3, run_timeout_ms: 200, fail_at: [50, 300], hang_at: [400]}";
  Lines lines, again_lines;
  const auto recorded = simulated("sim:qcs6490", faults, &lines);
  const auto again = simulated("trace:" + lines.file(folder_), faults, &again_lines);
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(to_json(*again), to_json(*recorded));
  EXPECT_EQ(again_lines.all(), lines.all());
}

TEST_F(SimulatedReplay, OfARecordingOfAReplay) {
  Lines again;
  ASSERT_TRUE(simulated("trace:" + lines_.file(folder_), "{latency_ms: 3}", &again).ok());
  EXPECT_EQ(again.all(), lines_.all());
}

TEST_F(SimulatedReplay, InTheSameSurroundings) {
  Lines lines;
  const auto hot = simulated("sim:qcs6490", "{latency_ms: 3}", &lines, {}, 44);
  const auto again = replayed(lines.file(folder_));
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(again->device->ambient_c, 44);
  EXPECT_EQ(to_json(*again), to_json(*hot));
}

TEST_F(SimulatedReplay, ProbesAreRunAgain) {
  Lines lines;
  const Set probes = {{"face.backends", "[htp, gpu, cpu]"}, {"face.policy", "latency"}};
  const auto recorded = simulated("sim:qcs6490", "{}", &lines, probes);
  EXPECT_THAT(lines.all(), Contains(HasSubstr("\"kind\":\"probe\"")));
  const auto again = replayed(lines.file(folder_), probes);
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(to_json(*again), to_json(*recorded));
}

TEST_F(SimulatedReplay, OfAFolder) {
  lines_.file(folder_);
  const auto again = replayed(folder_ / ".");
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(decisions(*again), recorded_);
}

// A process that was killed leaves a recording without its end: it replays as far as it goes.
TEST_F(SimulatedReplay, OfACutRecordingDecidesTheSameAsFarAsItGoes) {
  const auto again = replayed(lines_.file(folder_, false, lines_.all().size() / 2));
  ASSERT_TRUE(again.ok()) << again.status().message();
  const std::string part = decisions(*again);
  EXPECT_LT(part.size(), recorded_.size());
  EXPECT_EQ(recorded_.substr(0, part.size() - 2), part.substr(0, part.size() - 2));
}

TEST_F(SimulatedReplay, OfAnotherPipelineIsRefused) {
  const std::string file = lines_.file(folder_);
  EXPECT_THAT(replayed(file, {{"face.policy", "latency"}}).status().message(),
              HasSubstr("was recorded of another pipeline: node 'face' had {\"policy\":\"fixed\""));
  EXPECT_THAT(replayed(file, {{"face.backends", "[cpu, fake]"}}).status().message(),
              HasSubstr("node 'face' chose among fake, cpu; here among cpu, fake"));
  EXPECT_THAT(replayed(file, {{"face.backends", "[cpu]"}}).status().message(),
              HasSubstr("1 nodes chose, here 0 do"));
}

TEST_F(SimulatedReplay, BrokenLinesAreRefusedByNumber) {
  const std::vector<std::string> good = lines_.all();
  struct Break {
    std::string from, to, says;
  };
  for (const Break& b : std::initializer_list<Break>{
           {"\"npu\":", "\"npu\":42000,\"was\":", "'npu' is 42000, must be -50 to 200"},
           {"\"latency_ms\":", "\"latency_ms\":-1,\"was\":", "'latency_ms' is -1, must be 0 to 1e+08"},
           {"\"runs\":[", "\"runs\":[{\"latency_ms\":1,\"runs\":1},", "'runs' has not one entry per node"},
           {"\"kind\":\"period\"", "\"kind\":\"perhaps\"", "'kind' is 'perhaps'"},
           {"\"at_ns\":", "\"at_ns\":1.5,\"was\":", "must be a whole number"}}) {
    std::vector<std::string> lines = good;
    std::string& line = lines.at(5);
    const std::size_t at =
        line.find(b.from, line.find("\"period\"") == std::string::npos ? 0 : line.find('{'));
    ASSERT_NE(at, std::string::npos) << b.from << " in " << line;
    line.replace(at, b.from.size(), b.to);
    std::string text;
    for (const std::string& one : lines) text += one + "\n";
    const Status status = replayed(folder_.write("readings.jsonl", text)).status();
    EXPECT_EQ(status.code(), Code::kInvalid);
    EXPECT_THAT(status.message(), HasSubstr("readings.jsonl:6: selection: ")) << status.message();
    EXPECT_THAT(status.message(), HasSubstr(b.says));
  }
}

TEST_F(SimulatedReplay, OrderAndEndsAreChecked) {
  const std::vector<std::string>& l = lines_.all();
  const auto says = [&](const std::string& text) {
    return replayed(folder_.write("readings.jsonl", text)).status().message();
  };
  EXPECT_THAT(says(l[0] + "\n" + l[6] + "\n" + l[5] + "\n"),
              EndsWith(":3: selection: 'at_ns' is before the line before"));
  EXPECT_THAT(says(l[1] + "\n"), HasSubstr("the line that begins the recording is missing"));
  EXPECT_THAT(says(l[0] + "\n" + l[0] + "\n"), HasSubstr("the recording begins twice"));
  EXPECT_THAT(says(l[0] + "\n" + selection_end_line(0) + "\n" + l[5] + "\n"),
              HasSubstr("a line behind the recording's end"));
  EXPECT_THAT(says("{\"t_s\": 1}\n"), HasSubstr("has readings and no decisions"));
  EXPECT_THAT(replayed(folder_ / "no_such").status().message(), HasSubstr("cannot be read"));
}

// The decisions depend on it, and a replay may have no sessions to see it by.
TEST(SelectionRecord, KeepsWhichNodesShareTheirSessions) {
  const SelectedNode apart{"a", {{.backend = "htp"}}, {}, -1, {}};
  const SelectedNode together{"b", {{.backend = "htp"}}, {}, 1, "balanced"};
  const std::vector<SelectedNode> nodes = {apart, together};
  const ScratchFolder folder;
  const std::string file = folder.write(
      "readings.jsonl", selection_begin_line("real", std::nullopt, nodes) + "\n" + selection_end_line(0));
  const auto read = read_selection(file);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ((*read)->nodes.at(0).session_group, -1);
  EXPECT_EQ((*read)->nodes.at(0).least_mode, "");
  EXPECT_EQ((*read)->nodes.at(1).session_group, 1);
  EXPECT_EQ((*read)->nodes.at(1).least_mode, "balanced");
}

// --- a real run

class DialledTelemetry final : public Telemetry {
 public:
  explicit DialledTelemetry(double celsius) : celsius_(celsius) {}
  std::string_view source() const override { return "dialled"; }
  Readings sample(TimeNs now) override {
    Readings out;
    out.at = now;
    out.temperature(HeatRole::kNpu) = {celsius_, now, Health::kGood};
    return out;
  }
  std::vector<SensorState> sensors() const override { return {}; }

 private:
  const double celsius_;
};

class RealReplay : public ::testing::Test {
 protected:
  RealReplay() {
    const Dims dims = {1, 3, 4, 4};
    folder_.write("own.onnx", ModelBuilder()
                                  .input("x", dims, onnx::kFloat)
                                  .output("y", dims, onnx::kFloat)
                                  .node("Identity", {"x"}, {"y"})
                                  .bytes());
  }
  // Frames until `wanted` decisions have come, on a device of this temperature.
  RunReport run(double celsius, std::size_t wanted, const RunOptions& options,
                const std::string& section = "") {
    const std::string text =
        "version: 1\nname: t\n" + section + "models: {m: {path: " + (folder_ / "own.onnx") +
        "}}\nnodes:\n"
        "  - {id: src, type: app_source, options: {width: 8, height: 8, format: gray, live: false}}\n"
        "  - {id: pre, type: preprocess, inputs: src, options: {model: m}}\n"
        "  - {id: net, type: infer, inputs: pre, options: {model: m, backends: [fake], dwell_s: 0.01, "
        "max_temperature_c: 60, degrade: [{rate_hz: 900}, {rate_hz: 800}, {rate_hz: 700}, {rate_hz: 600}, "
        "{rate_hz: 500}], fake: {latency_ms: 0}}}\n  - {id: out, type: app_sink, inputs: net}\n";
    auto loaded = Pipeline::load(text, builtin_registry());
    if (!loaded.ok()) {
      ADD_FAILURE() << loaded.status().message();
      return {};
    }
    EngineSetup setup;
    setup.make_telemetry = [celsius] { return std::make_unique<DialledTelemetry>(celsius); };
    setup.control_period = from_ms(10);
    Engine engine(std::shared_ptr<const Plan>(std::shared_ptr<const Plan>(), &loaded->plan()),
                  std::move(setup));
    EXPECT_TRUE(engine.create_nodes().ok());
    EXPECT_TRUE(dynamic_cast<AppSink&>(*engine.node("out")).on_packet([](const Packet&) {}).ok());
    const Status started = engine.start(options);
    EXPECT_TRUE(started.ok()) << started.message();
    auto& source = dynamic_cast<AppSource&>(*engine.node("src"));
    static const std::array<std::uint8_t, 64> kBlack{};
    Frame frame{.format = PixelFormat::kGray, .width = 8, .height = 8};
    frame.planes[0] = kBlack.data();
    frame.strides[0] = 8;
    const SteadyClock clock;
    while (engine.report().inference.at(0).decisions.size() < wanted && clock.now() < from_s(30))
      EXPECT_TRUE(source.push(frame).ok());
    source.close_stream();
    while (!engine.wait_for(60)) ADD_FAILURE() << "the run does not end";
    EXPECT_TRUE(engine.finish().ok());
    return engine.report();
  }

  ScratchFolder folder_;
};

TEST_F(RealReplay, DecidesTheSameOnADeviceThatStaysCool) {
  Lines lines;
  RunOptions options;
  options.record = lines.taker();
  const std::string recorded = decisions(run(90, 6, options));
  ASSERT_THAT(recorded, HasSubstr("\"step\": 5"));
  const std::string file = lines.file(folder_);
  RunOptions by_option;
  by_option.device = "trace:" + file;
  Lines again;
  by_option.record = again.taker();
  EXPECT_EQ(decisions(run(20, 6, by_option)), recorded);
  EXPECT_EQ(again.all(), std::vector(lines.all().begin(), lines.all().begin() + std::ssize(again.all())));
  EXPECT_EQ(decisions(run(20, 6, {}, "device: {telemetry: trace, trace: " + file + "}\n")), recorded);
}

// --- what a node is to reach when its file does not say

// As the recording's first line has it; null: nothing.
nlohmann::json target_fps(const std::string& device, const std::string& pace) {
  auto pipeline =
      Pipeline::load("pipelines/face_fast.yaml", builtin_registry(),
                     {Set{{"face.backends", "[fake, cpu]"}, {"face.fake", "{latency_ms: 1}"}}, pace});
  EXPECT_TRUE(pipeline.ok()) << pipeline.status().message();
  Lines lines;
  RunOptions options;
  options.device = device;
  options.frames = 2;
  options.record = lines.taker();
  Status status = pipeline->start(options);
  if (status.ok()) status = pipeline->wait();
  EXPECT_TRUE(status.ok()) << status.message();
  if (lines.all().empty()) return {};
  return nlohmann::json::parse(lines.all().front())["selection"]["nodes"][0]["policy"]["target_fps"];
}

TEST(TargetFps, IsTheSourcesPaceOnEveryDevice) {
  for (const std::string device : {"real", "sim:qcs6490"}) {
    EXPECT_EQ(target_fps(device, "15"), 15) << device;
    EXPECT_EQ(target_fps(device, "60"), 60) << device;
    EXPECT_EQ(target_fps(device, "realtime"), 30) << device << ": what its header says";
    EXPECT_EQ(target_fps(device, "max"), 0) << device << ": as many as there can be";
  }
}

}  // namespace
}  // namespace sluice
