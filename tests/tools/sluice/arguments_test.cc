#include "tools/sluice/arguments.h"

#include <gtest/gtest.h>

#include "tools/sluice/duration.h"

namespace sluice::cli {
namespace {

std::variant<Arguments, int> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "sluice");
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  auto out = parse_arguments(static_cast<int>(words.size()), words.data());
  ::testing::internal::GetCapturedStdout();
  ::testing::internal::GetCapturedStderr();
  return out;
}

int code(std::vector<const char*> words) {
  const auto parsed = parse(std::move(words));
  return std::holds_alternative<int>(parsed) ? std::get<int>(parsed) : -1;
}

template <typename T>
T get(std::vector<const char*> words) {
  const auto parsed = parse(std::move(words));
  if (!std::holds_alternative<Arguments>(parsed)) {
    ADD_FAILURE() << "refused with " << std::get<int>(parsed);
    return {};
  }
  return std::get<T>(std::get<Arguments>(parsed));
}

TEST(CommandLine, Run) {
  const auto run = get<RunArguments>(
      {"run",     "p.yaml",     "--set",   "a.b=c=d",     "--set",   "a.x.y=",     "--frames",
       "5",       "--duration", "1.5m",    "--pace",      "max",     "--report",   "r.json",
       "--trace", "t.json",     "--quiet", "--log-level", "warning", "--log-file", "l"});
  EXPECT_EQ(run.file, "p.yaml");
  ASSERT_EQ(run.set.size(), 2u);
  EXPECT_EQ(run.set[0], std::pair(std::string("a.b"), std::string("c=d")));
  EXPECT_EQ(run.set[1], std::pair(std::string("a.x.y"), std::string()));
  EXPECT_EQ(run.frames, 5);
  EXPECT_EQ(run.duration_s, 90);
  EXPECT_EQ(run.pace, "max");
  EXPECT_EQ(run.report, "r.json");
  EXPECT_EQ(run.trace, "t.json");
  EXPECT_TRUE(run.quiet);
  EXPECT_EQ(run.log_level, "warning");
  EXPECT_EQ(run.log_file, "l");
}

// A limit of nan is never missed, and a range of numbers does not refuse it.
TEST(CommandLine, WhatIsNoNumberIsNoLimit) {
  for (const char* option : {"--min-stability", "--min-fps", "--max-p95-ms", "--max-skin-c", "--ambient"}) {
    for (const char* value : {"nan", "NaN", "inf", "-inf"})
      EXPECT_EQ(code({"thermal", "p.yaml", "--device", "sim:qcs6490", option, value}), 2) << option << value;
    EXPECT_EQ(code({"thermal", "p.yaml", "--device", "sim:qcs6490", option, "0.5"}), -1) << option;
  }
  EXPECT_EQ(code({"eval", "p.yaml", "--labels", "l", "--min-recall", "nan"}), 2);
}

TEST(CommandLine, Devices) {
  EXPECT_EQ(get<RunArguments>({"run", "p.yaml"}).device, "real");
  const auto run = get<RunArguments>(
      {"run", "p.yaml", "--device", "sim:qcs6490", "--ambient", "35", "--timings", "r.json"});
  EXPECT_EQ(run.device, "sim:qcs6490");
  EXPECT_EQ(run.ambient_c, 35);
  EXPECT_EQ(run.timings, "r.json");
  for (const char* wrong : {"sim:", "sims:x", "", "phone"})
    EXPECT_EQ(code({"run", "p.yaml", "--device", wrong}), 2) << wrong;
  EXPECT_EQ(code({"run", "p.yaml", "--ambient", "400"}), 2);
}

TEST(CommandLine, Thermal) {
  const auto thermal = get<ThermalArguments>({"thermal",    "p.yaml",
                                              "--device",   "sim:generic",
                                              "--duration", "2m",
                                              "--policies", "fixed,sustained",
                                              "--backend",  "a=cpu",
                                              "--backend",  "b=gpu",
                                              "--repeat",   "5",
                                              "--report",   "o.html",
                                              "--json",     "o.json",
                                              "--csv",      "o.csv",
                                              "--resume",   "--pace",
                                              "max",        "--cool-down",
                                              "0",          "--recovery",
                                              "90s",        "--min-stability",
                                              "0.9",        "--min-fps",
                                              "20",         "--max-p95-ms",
                                              "50",         "--max-skin-c",
                                              "42"});
  EXPECT_EQ(thermal.duration_s, 120);
  EXPECT_EQ(thermal.policies, (std::vector<std::string>{"fixed", "sustained"}));
  ASSERT_EQ(thermal.backends.size(), 2u);
  EXPECT_EQ(thermal.backends[1], std::pair(std::string("b"), std::string("gpu")));
  EXPECT_EQ(thermal.repeat, 5);
  EXPECT_TRUE(thermal.resume);
  EXPECT_EQ(thermal.cool_down_s, 0);
  EXPECT_EQ(thermal.recovery_s, 90);
  EXPECT_EQ(thermal.min_stability, 0.9);
  EXPECT_EQ(thermal.max_skin_c, 42);
  EXPECT_EQ(get<ThermalArguments>({"thermal", "p.yaml"}).duration_s, 1800);
  EXPECT_EQ(get<ThermalArguments>({"thermal", "--compare", "a.json", "b.json"}).compare.size(), 2u);
}

TEST(CommandLine, ThermalRefuses) {
  EXPECT_EQ(code({"thermal"}), 2) << "nothing to test";
  EXPECT_EQ(code({"thermal", "p.yaml", "--resume"}), 2) << "from which file?";
  EXPECT_EQ(code({"thermal", "p.yaml", "--compare", "a", "b"}), 2);
  EXPECT_EQ(code({"thermal", "--compare", "a"}), 2);
  EXPECT_EQ(code({"thermal", "p.yaml", "--policies", "fixed,fast"}), 2);
  EXPECT_EQ(code({"thermal", "p.yaml", "--backend", "cpu"}), 2);
  EXPECT_EQ(code({"thermal", "p.yaml", "--duration", "0"}), 2);
  EXPECT_EQ(code({"thermal", "p.yaml", "--repeat", "0"}), 2);
}

TEST(CommandLine, RecordAndFit) {
  EXPECT_EQ(get<RunArguments>({"run", "p.yaml", "--record", "d", "--force"}).record, "d");
  EXPECT_EQ(code({"run", "p.yaml", "--force"}), 2) << "what would it replace?";
  const auto fit = get<FitArguments>({"fit", "a.jsonl", "b.jsonl", "-o", "board.yaml", "--base", "qcs6490"});
  EXPECT_EQ(fit.traces.size(), 2u);
  EXPECT_EQ(fit.output, "board.yaml");
  EXPECT_EQ(fit.base, "qcs6490");
  EXPECT_EQ(code({"fit", "a.jsonl"}), 2);
  EXPECT_EQ(code({"fit", "-o", "x"}), 2);
}

TEST(CommandLine, RunDefaults) {
  const auto run = get<RunArguments>({"run", "p.yaml"});
  EXPECT_FALSE(run.frames || run.duration_s || run.pace || run.quiet);
  EXPECT_EQ(run.log_level, "info");
  EXPECT_EQ(get<RunArguments>({"run", "p.yaml", "-v"}).log_level, "debug");
}

TEST(CommandLine, WrongUseIsTwo) {
  for (const std::vector<const char*>& words :
       std::vector<std::vector<const char*>>{{},
                                             {"fly"},
                                             {"run"},
                                             {"run", "a", "b"},
                                             {"run", "a", "--frames", "0"},
                                             {"run", "a", "--frames", "x"},
                                             {"run", "a", "--duration", "soon"},
                                             {"run", "a", "--set", "ab"},
                                             {"run", "a", "--set", "a=b"},
                                             {"run", "a", "--set", ".b=c"},
                                             {"run", "a", "--set", "a.=c"},
                                             {"run", "a", "--log-level", "loud"},
                                             {"run", "a", "--serve", "127.0.0.1:1"},  // of a later version
                                             {"plan", "a", "--format", "png"},
                                             {"eval", "a"},
                                             {"eval", "a", "--labels", "l", "--iou", "2"},
                                             {"eval", "a", "--labels", "l", "--iou", "nan"},
                                             {"eval", "a", "--labels", "l", "--min-recall", "NaN"},
                                             {"thermal", "a", "--min-fps", "nan"},
                                             {"thermal", "a", "--min-fps", "0"},
                                             {"thermal", "a", "--max-p95-ms", "inf"},
                                             {"run", "a", "--ambient", "-nan"},
                                             {"check"}}) {
    EXPECT_EQ(code(words), 2) << (words.empty() ? "" : words.back());
  }
}

TEST(CommandLine, HelpAndVersionAreResults) {
  EXPECT_EQ(code({"--help"}), 0);
  EXPECT_EQ(code({"run", "--help"}), 0);
  EXPECT_EQ(code({"--version"}), 0);
}

TEST(CommandLine, Others) {
  EXPECT_EQ(get<CheckArguments>({"check", "a", "b"}).files, (std::vector<std::string>{"a", "b"}));
  const auto plan =
      get<PlanArguments>({"plan", "a", "--format", "svg", "--probe", "--set", "a.b=1", "--pace", "10"});
  EXPECT_EQ(plan.format, "svg");
  EXPECT_TRUE(plan.probe);
  EXPECT_EQ(plan.set.size(), 1u);
  EXPECT_EQ(plan.pace, "10");
  EXPECT_EQ(get<NodesArguments>({"nodes"}).type, "");
  EXPECT_EQ(get<NodesArguments>({"nodes", "infer"}).type, "infer");
  EXPECT_EQ(get<ExplainArguments>({"explain", "r.json"}).report, "r.json");
  get<SchemaArguments>({"schema"});
  EXPECT_TRUE(get<DoctorArguments>({"doctor", "--json"}).json);
  EXPECT_EQ(get<InspectArguments>({"inspect", "m.onnx"}).model, "m.onnx");
  EXPECT_EQ(get<InspectArguments>({"inspect", "m.onnx", "--shape", "x=1x3"}).shapes.at(0).dims,
            (std::vector<std::int64_t>{1, 3}));
  const auto eval =
      get<EvalArguments>({"eval", "a", "--labels", "l", "--iou", "0.4", "--min-recall", "0.95", "--json"});
  EXPECT_EQ(eval.iou, 0.4);
  EXPECT_EQ(eval.min_recall, 0.95);
  EXPECT_FALSE(eval.min_precision.has_value());
}

TEST(Duration, Units) {
  EXPECT_EQ(parse_duration("500ms"), 0.5);
  EXPECT_EQ(parse_duration("10s"), 10);
  EXPECT_EQ(parse_duration("30m"), 1800);
  EXPECT_EQ(parse_duration("1.5h"), 5400);
  EXPECT_EQ(parse_duration("2"), 2);
  for (const auto* text : {"", "s", "-1s", "0", "1d", "1 s", "1e3", "inf", "nan"})
    EXPECT_FALSE(parse_duration(text)) << text;
  for (const auto* text : {"0", "0s", "0m"}) EXPECT_EQ(parse_duration(text, true), 0) << text;
  EXPECT_FALSE(parse_duration("-1s", true));
}

}  // namespace
}  // namespace sluice::cli
