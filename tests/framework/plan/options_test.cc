// Options: kinds, ranges, units, choices, paths, layering; types, ids and models by name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/framework/plan/plan_testing.h"

namespace sluice::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Lines 2..: one source, one `pre` with these options, one sink.
std::string with_pre(const std::string& options) {
  return "models: {face: {path: float.onnx}}\nnodes:\n- {id: cam, type: source}\n- {id: pre, type: pre, "
         "inputs: cam, options: {" +
         options + "}}\n- {id: out, type: void, inputs: pre}\n";
}

std::string with_infer(const std::string& options, const std::string& more = "") {
  return "models: {face: {path: float.onnx, variants: {small: small.onnx}}}\n" + more +
         "nodes:\n- {id: cam, type: source}\n- {id: pre, type: pre, inputs: cam, options: {model: face}}\n"
         "- {id: face, type: infer, inputs: pre, options: {model: face, " +
         options + "}}\n- {id: out, type: void, inputs: face}\n";
}

TEST(Options, NameTheChoiceThatWasMeant) {
  EXPECT_THAT(issues_of(with_pre("fit: leterbox")),
              ElementsAre("5:52: node 'pre': option 'fit' is 'leterbox', allowed: stretch, letterbox, crop; "
                          "did you mean 'letterbox'?"));
}

TEST(Options, NameTheOptionThatWasMeant) {
  EXPECT_THAT(
      issues_of(with_pre("fitt: crop")),
      ElementsAre("5:47: node 'pre': unknown option 'fitt', allowed: model, fit, mean; did you mean 'fit'?"));
}

TEST(Options, CheckTypeAndRangeWithUnits) {
  EXPECT_THAT(issues_of(with_infer("concurrency: 17")),
              ElementsAre(HasSubstr("node 'face': option 'concurrency' is 17, allowed: 1 to 16")));
  EXPECT_THAT(
      issues_of(with_infer("concurrency: many")),
      ElementsAre(HasSubstr("option 'concurrency' is 'many', but must be a whole number, or one of: auto")));
  EXPECT_THAT(issues_of(with_infer("batch: {wait_ms: 2000}")),
              ElementsAre(HasSubstr("option 'batch.wait_ms' is 2000, allowed: 0 to 1000 ms")));
  EXPECT_THAT(issues_of(with_infer("batch: {wait_ms: 5ms}")),
              ElementsAre(HasSubstr("option 'batch.wait_ms' is '5ms', but must be a number in ms")));
  EXPECT_THAT(
      issues_of(with_infer("batch: {maxx: 2}")),
      ElementsAre(HasSubstr("unknown option 'batch.maxx', allowed: max, wait_ms; did you mean 'max'?")));
  EXPECT_THAT(issues_of(with_infer("batch: 4")),
              ElementsAre(HasSubstr("option 'batch' is 4, but must be a map")));
  EXPECT_THAT(issues_of(with_infer("backends: []")),
              ElementsAre(HasSubstr("option 'backends' is empty, but something must run the model")));
  EXPECT_THAT(issues_of(with_infer("backends: [fake, cpu, fake]")),
              ElementsAre(HasSubstr("option 'backends' names 'fake' twice")));
  EXPECT_THAT(issues_of(with_infer("backends: [cpu, gpo]")),
              ElementsAre(HasSubstr(
                  "option 'backends' is 'gpo', allowed: htp, gpu, cpu, fake; did you mean 'gpu'?")));
  EXPECT_THAT(issues_of(with_pre("mean: [1, x]")),
              ElementsAre(HasSubstr("option 'mean' is 'x', but must be a number")));
  EXPECT_THAT(issues_of(with_pre("fit: ~")), ElementsAre(HasSubstr("option 'fit' has no value")));
}

// Names that people know from QNN's own configuration: taken by another name, or not at all and why.
TEST(Options, OtherNamesOfTheNpusSettingsAreExplained) {
  const auto htp = [](const std::string& options) { return issues_of(with_infer("htp: {" + options + "}")); };
  EXPECT_THAT(htp("soc: qcs6409"), ElementsAre(HasSubstr("did you mean 'qcs6490'?")));
  EXPECT_THAT(htp("soc_model: 43"),
              ElementsAre(HasSubstr("option 'htp.soc_model' is not taken: write soc, with the chip's name")));
  EXPECT_THAT(htp("qnn_saver_path: x, htp_graph_finalization_optimization_mode: 3"),
              ElementsAre(HasSubstr("outputs mean nothing"), HasSubstr("write graph_optimization")));
  EXPECT_THAT(htp("vtcm: 2"), ElementsAre(HasSubstr("unknown option 'htp.vtcm'")));
  EXPECT_THAT(htp("soc: sm8850, graph_optimization: 3, dma: true"), IsEmpty());
}

// QNN takes a wrong version or more memory than there is without a word.
TEST(Options, SettingsOfTheNpuMustFitItsChip) {
  const auto htp = [](const std::string& options) { return issues_of(with_infer("htp: {" + options + "}")); };
  EXPECT_THAT(htp("soc: qcs6490, arch: v73"),
              ElementsAre(HasSubstr("'htp.arch' is 'v73', but soc 'qcs6490' has v68; leave arch out")));
  EXPECT_THAT(htp("vtcm_mb: 4, soc: qcs6490"),
              ElementsAre(HasSubstr("'htp.vtcm_mb' is 4, but soc 'qcs6490' has 2 MB")));
  EXPECT_THAT(htp("arch: v75, dma: true"),
              ElementsAre(HasSubstr("'htp.dma' (extended DMA) needs v81, but arch has v75")));
  EXPECT_THAT(htp("profiling: basic"),
              ElementsAre(HasSubstr("'htp.profiling' is 'basic', but that needs profiling_path")));
  EXPECT_THAT(htp("soc: qcs6490, arch: v68, vtcm_mb: 2, profiling: basic, profiling_path: p.csv"), IsEmpty());
  EXPECT_THAT(htp("vtcm_mb: 16, arch: v68"), IsEmpty());  // which chip that is only the device knows
}

TEST(Options, SettingsOfTheNpuThatContradictAreBlamedWhereTheyStand) {
  const std::string section = "backends: {htp: {soc: qcs6490, vtcm_mb: 4}}\n";
  EXPECT_THAT(issues_of(with_infer("htp: {arch: v75}", section)),
              ElementsAre("3:41: backends: key 'htp.vtcm_mb' is 4, but soc 'qcs6490' has 2 MB; 0 is the "
                          "library's default",
                          HasSubstr("node 'face': option 'htp.arch' is 'v75', but soc 'qcs6490' has v68")));
  PlanInputs inputs = plan_inputs();
  inputs.set = {{"face.htp.vtcm_mb", "8"}};
  EXPECT_THAT(issues_of(with_infer("htp: {soc: qcs6490}"), inputs),
              ElementsAre("0:0: --set: node 'face': option 'htp.vtcm_mb' is 8, but soc 'qcs6490' has 2 MB; 0 "
                          "is the library's default"));
}

TEST(Options, RatesArePositiveOrNamed) {
  const auto pace = [](const std::string& p) {
    return issues_of("nodes:\n- {id: cam, type: source, options: {pace: " + p +
                     "}}\n- {id: out, type: void, inputs: cam}\n");
  };
  EXPECT_THAT(pace("0"), ElementsAre("3:43: node 'cam': option 'pace' is 0, allowed: more than 0 fps"));
  EXPECT_THAT(
      pace("fast"),
      ElementsAre(HasSubstr(
          "option 'pace' is 'fast', but must be a positive number in fps, or one of: realtime, max")));
  EXPECT_THAT(pace("29.97"), IsEmpty());
}

TEST(Options, ReportAllErrorsOfAFileAtOnce) {
  EXPECT_THAT(
      issues_of(
          "nodes:\n- {id: cam, type: sorce}\n- {id: pre, type: pre, inputs: cem, options: {fit: x, b: 1}}\n"
          "- {id: out, type: void, inputs: pre}\n"),
      ElementsAre(HasSubstr("3:19: node 'cam': unknown type 'sorce', allowed: source, "),
                  HasSubstr("4:32: node 'pre': input 'cem' names no node; did you mean 'cam'?"),
                  HasSubstr("option 'fit' is 'x'"), HasSubstr("unknown option 'b'")));
}

TEST(Options, RequiredOnesMustBeThere) {
  EXPECT_THAT(issues_of("nodes:\n- {id: cam, type: source}\n- {id: f, type: infer, inputs: cam}\n- {id: out, "
                        "type: void, inputs: f}\n"),
              ElementsAre("4:8: node 'f': option 'model' is missing",
                          "4:32: node 'f': input 'inputs' takes a tensor, but 'cam' is a frame"));
}

TEST(Options, NameModelsOfTheFile) {
  EXPECT_THAT(
      issues_of(with_pre("model: fase")),
      ElementsAre(HasSubstr("node 'pre': option 'model' is 'fase', allowed: face; did you mean 'face'?")));
}

TEST(Options, PathsAreRelativeToTheFileOrTheWorkingDirectory) {
  const std::string text =
      "nodes:\n- {id: cam, type: source}\n- {id: out, type: sink, inputs: cam, options: {path: "
      "../x/out.json}}\n";
  EXPECT_EQ(node(plan_of(text), "out").options->text("path"), "x/out.json");
  PlanInputs inputs = plan_inputs();
  inputs.set = {{"out.path", "here.json"}};
  EXPECT_EQ(node(plan_of(text, inputs), "out").options->text("path"), "here.json");
  inputs.set = {{"out.path", "-"}};
  EXPECT_EQ(node(plan_of(text, inputs), "out").options->text("path"), "-");
}

TEST(Options, TheCommandLineWinsOverOptionsOverSectionsOverDefaults) {
  const std::string sections = "selector: {policy: balanced}\nbackends: {cpu: {threads: 2, cores: big}}\n";
  const auto threads = [](const PlanResult& result) { return node(result, "face").options->map("cpu"); };
  EXPECT_EQ(threads(plan_of(with_infer("concurrency: 1"))).at("threads"), OptionValue{std::string("auto")});
  const PlanResult inherited = plan_of(with_infer("concurrency: 1", sections));
  EXPECT_EQ(threads(inherited).at("threads"), OptionValue{std::int64_t{2}});
  EXPECT_EQ(node(inherited, "face").options->text("policy"), "balanced");
  PlanInputs inputs = plan_inputs();
  const std::string own = with_infer("policy: fixed, cpu: {threads: 3}", sections);
  const PlanResult overridden = plan_of(own, inputs);
  EXPECT_EQ(threads(overridden).at("threads"), OptionValue{std::int64_t{3}});
  EXPECT_EQ(threads(overridden).at("cores"), OptionValue{std::string("big")});
  EXPECT_EQ(node(overridden, "face").options->text("policy"), "fixed");
  inputs.set = {{"face.cpu.threads", "4"}};
  EXPECT_EQ(threads(plan_of(own, inputs)).at("threads"), OptionValue{std::int64_t{4}});
}

TEST(Options, ASetOfNumbersIsATextANumberOrAList) {
  const auto cores = [](const std::string& written) {
    return node(plan_of(with_infer("cpu: {cores: " + written + "}")), "face").options->map("cpu").at("cores");
  };
  EXPECT_EQ(cores("'0,4-7'"), OptionValue{std::string("0,4-7")});
  EXPECT_EQ(cores("3"), OptionValue{std::string("3")});
  EXPECT_EQ(cores("[0, 2]"), OptionValue{std::string("0,2")});
  EXPECT_EQ(cores("[0, 4-7]"), OptionValue{std::string("0,4-7")});
  EXPECT_EQ(cores("big"), OptionValue{std::string("big")});
  for (const std::string wrong : {"1.5", "[]", "[0, 1.5]", "{a: 1}", "true", "''", "bigg", "-1", "[0, -1]",
                                  "4-", "'0,,1'", "0-1-2", "'0, 1'", "7-4", "[big, 1]", "99999999999"}) {
    EXPECT_THAT(issues_of(with_infer("cpu: {cores: " + wrong + "}")),
                ElementsAre(HasSubstr("option 'cpu.cores' is ")))
        << wrong;
  }
  EXPECT_THAT(
      issues_of(with_infer("cpu: {cores: bigg}")),
      ElementsAre(HasSubstr("option 'cpu.cores' is 'bigg', but must be a text such as 0,4-7, a whole number "
                            "or a list of both, or one of: auto, big, all; did you mean 'big'?")));
}

TEST(Options, SetIsCheckedLikeTheFile) {
  PlanInputs inputs = plan_inputs();
  inputs.set = {{"pre.fit", "krop"}, {"prex.fit", "crop"}, {"pre", "1"}, {"pre.nothing", "1"}};
  EXPECT_THAT(issues_of(with_pre(""), inputs),
              ElementsAre("0:0: --set 'prex.fit' names no node, allowed: cam, pre, out; did you mean 'pre'?",
                          "0:0: --set 'pre' names no option; write node.option=value",
                          "0:0: --set: node 'pre': option 'fit' is 'krop', allowed: stretch, letterbox, "
                          "crop; did you mean 'crop'?",
                          "0:0: --set: node 'pre': unknown option 'nothing', allowed: model, fit, mean"));
}

// What the file says there is right.
TEST(Options, SetIsToBlameForWhatItSets) {
  PlanInputs inputs = plan_inputs();
  inputs.set = {{"face.backends", "[cpu, cpu]"}};
  EXPECT_THAT(issues_of(with_infer("backends: [cpu]"), inputs),
              ElementsAre("0:0: --set: node 'face': option 'backends' names 'cpu' twice"));
  inputs.set = {{"face.backends", "[]"}};
  EXPECT_THAT(issues_of(with_infer("backends: [cpu]"), inputs),
              ElementsAre(HasSubstr("0:0: --set: node 'face': option 'backends' is empty")));
}

TEST(Options, SetMayGiveWhatIsRequired) {
  PlanInputs inputs = plan_inputs();
  inputs.set = {{"stale.max_age_ms", "40"}};
  EXPECT_THAT(issues_of("flow: {mode: realtime}\nnodes:\n- {id: cam, type: source}\n- {id: stale, type: "
                        "drop_stale, inputs: cam}\n"
                        "- {id: out, type: void, inputs: stale}\n",
                        inputs),
              IsEmpty());
}

TEST(Options, SectionsAreDeclared) {
  EXPECT_THAT(
      issues_of(with_pre("") + "selector: {polcy: fixed, dwell_s: -1}\nbackends: {cpu: {threads: "
                               "none}}\ndevice: {telemetry: x}\n"),
      ElementsAre(
          HasSubstr("7:12: selector: unknown key 'polcy', allowed: policy, "),
          HasSubstr("selector: key 'dwell_s' is -1, allowed: at least 0 s"),
          HasSubstr("backends: key 'cpu.threads' is 'none', but must be a whole number, or one of: auto"),
          HasSubstr("device: key 'telemetry' is 'x', allowed: auto, sysfs, simulated, trace, none")));
  const PlanResult result = plan_of(with_pre(""));
  ASSERT_TRUE(result.plan);
  EXPECT_EQ(result.plan->selector.at("min_gain"), OptionValue{0.15});
  EXPECT_EQ(result.plan->selector.at("policy"), OptionValue{std::string("fixed")});
  EXPECT_TRUE(result.plan->selector.at("target_fps").is_null());
}

TEST(Options, WrittenStepsMustBePossibleInheritedOnesAreSkipped) {
  EXPECT_THAT(issues_of(with_infer("degrade: [{variant: small}, {variant: tiny}]")),
              ElementsAre(HasSubstr("node 'face': option 'degrade' names variant 'tiny', allowed: small")));
  PlanInputs inputs = plan_inputs();
  inputs.set = {{"face.degrade", "[{rate_hz: 5}, {variant: tiny}]"}};
  EXPECT_THAT(issues_of(with_infer("degrade: [{variant: small}]"), inputs),
              ElementsAre("0:0: --set: node 'face': option 'degrade' names variant 'tiny', allowed: small"))
      << "written on the command line";
  const PlanResult result =
      plan_of(with_infer("concurrency: 1", "selector: {degrade: [{backend: gpu}, {rate_hz: 5}]}\n"));
  EXPECT_EQ(std::get<OptionList>(node(result, "face").options->value("degrade").data).size(), 1U);
  EXPECT_THAT(result.plan->adjustments,
              ::testing::Contains("node 'face' skips step 1 of selector.degrade: it has no backend 'gpu'"));
}

TEST(Options, StepsLeaveABackendToBeginOn) {
  EXPECT_THAT(
      issues_of(with_infer("backends: [gpu, cpu], degrade: [{backend: cpu}, {rate_hz: 5, backend: gpu}]")),
      ElementsAre(
          HasSubstr("node 'face': option 'degrade' names backend 'gpu' in step 2, and so no backend is "
                    "left to begin on: one that a step names is not used before it, and its backends "
                    "are gpu, cpu")));
  EXPECT_THAT(issues_of(with_infer("backends: [gpu, cpu], degrade: [{backend: cpu}, {backend: cpu}]")),
              ElementsAre())
      << "gpu is left";
  const PlanResult result =
      plan_of(with_infer("backends: [cpu]", "selector: {degrade: [{backend: cpu}, {rate_hz: 5}]}\n"));
  ASSERT_TRUE(result.plan);
  EXPECT_EQ(std::get<OptionList>(node(result, "face").options->value("degrade").data).size(), 1U);
  EXPECT_THAT(result.plan->adjustments,
              ::testing::Contains(HasSubstr("node 'face' skips step 1 of selector.degrade: it names backend "
                                            "'cpu', and so no backend is left to begin on")));
}

TEST(Options, AProfileIsAShippedOneOrAPathFromTheFile) {
  const auto profile_of = [](const std::string& written) {
    ParsedSpec spec = parse_spec_text(with_pre("") + "device: {profile: " + written + "}\n");
    spec.spec.directory = "/configs";
    return make_plan(spec.spec, plan_inputs()).plan->device.at("profile");
  };
  EXPECT_EQ(profile_of("generic"), OptionValue{std::string("generic")});
  EXPECT_EQ(profile_of("../prof/mine.yaml"), OptionValue{std::string("/prof/mine.yaml")});
  EXPECT_EQ(profile_of("mine.yaml"), OptionValue{std::string("/configs/mine.yaml")});
}

TEST(Options, APerformanceModeIsAStepOfTheNpuOnly) {
  EXPECT_THAT(issues_of(with_infer("degrade: [{performance_mode: balanced}]")),
              ElementsAre(HasSubstr(
                  "node 'face': option 'degrade' names performance_mode 'balanced', which is one of "
                  "backend 'htp', and that is not among its backends: the step does nothing")));
  EXPECT_THAT(issues_of(with_infer("backends: [htp, cpu], degrade: [{performance_mode: balanced}]")),
              ElementsAre());
  const PlanResult result = plan_of(
      with_infer("concurrency: 1", "selector: {degrade: [{performance_mode: balanced}, {rate_hz: 5}]}\n"));
  EXPECT_EQ(std::get<OptionList>(node(result, "face").options->value("degrade").data).size(), 1U);
  EXPECT_THAT(result.plan->adjustments,
              ::testing::Contains(
                  "node 'face' skips step 1 of selector.degrade: it has no performance_mode 'balanced'"));
}

TEST(Options, SetOptionTakesOnlyLiveOnes) {
  const PlanResult result = plan_of(
      "models: {face: {path: float.onnx}}\nnodes:\n- {id: cam, type: source}\n- {id: pre, type: pre, inputs: "
      "cam, options: {model: face}}\n"
      "- {id: face, type: infer, inputs: pre, options: {model: face}}\n- {id: boxes, type: detect, inputs: "
      "face}\n- {id: out, type: void, inputs: boxes}\n");
  const NodePlan& boxes = node(result, "boxes");
  EXPECT_DOUBLE_EQ((*set_option(boxes, "min_score", "0.75"))->number("min_score"), 0.75);
  EXPECT_DOUBLE_EQ(boxes.options->number("min_score"), 0.5);
  EXPECT_EQ(set_option(boxes, "min_score", "2").status().message(),
            "node 'boxes': option 'min_score' is 2, allowed: 0 to 1");
  EXPECT_EQ(set_option(boxes, "max_detections", "2").status().message(),
            "node 'boxes': option 'max_detections' cannot be changed while running");
  EXPECT_THAT(set_option(boxes, "min_scor", "1").status().message(), HasSubstr("did you mean 'min_score'?"));
}

TEST(Options, OnErrorFollowsTheKindOfNode) {
  const PlanResult result = plan_of(
      "nodes:\n- {id: cam, type: source}\n- {id: a, type: pass, inputs: cam, on_error: stop}\n"
      "- {id: b, type: pass, inputs: a}\n- {id: out, type: void, inputs: b}\n- {id: out2, type: void, "
      "inputs: b, on_error: drop}\n");
  EXPECT_TRUE(node(result, "a").stop_on_error);
  EXPECT_FALSE(node(result, "b").stop_on_error);
  EXPECT_TRUE(node(result, "out").stop_on_error);
  EXPECT_FALSE(node(result, "out2").stop_on_error);
}

}  // namespace
}  // namespace sluice::testing
