// The program as users and scripts see it: exit codes, what is on stdout and what on stderr.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/tools/sluice/program.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(Program, CheckTellsAllErrorsAndExitsWithTwo) {
  const std::string bad = write(
      "bad.yaml", "version: 1\nnodes:\n  - {id: a, typ: x}\n  - {id: on, type: null_sink, inputs: a}\n");
  EXPECT_EQ(run({"check", bad}), 2);
  EXPECT_EQ(out_, "");
  EXPECT_THAT(err_, HasSubstr(bad + ":3:13: error: node 'a': unknown key 'typ', allowed: id, type, inputs, "
                                    "options, on_error; did you mean 'type'?\n"));
  EXPECT_THAT(err_, HasSubstr(bad + ":4:10: error: node 2: 'id' is 'on'"));
}

// Of one line too: a wrong key hides neither a wrong type nor a wrong input; what is missing because of it is
// its consequence, and said of the other node of the line all the same.
TEST_F(Program, CheckTellsAllErrorsOfOneLine) {
  const std::string bad =
      write("line.yaml",
            "version: 1\nnodes: [{id: a, type: video_source, optoins: {uri: test:bars}}, "
            "{id: b, type: video_source}, {id: c, type: nul_sink, inputs: a, on_error: x},\n"
            "  {id: d, type: null_sink, inputs: [e], on_error: y}]\n");
  EXPECT_EQ(run({"check", bad}), 2);
  const auto error = [&](const std::string& rest) { return HasSubstr(bad + rest); };
  EXPECT_THAT(err_, error(":2:37: error: node 'a': unknown key 'optoins'"));
  EXPECT_THAT(err_, error(":2:70: error: node 'b': option 'uri' is missing\n"));
  EXPECT_THAT(err_, error(":2:70: error: node 'b': nobody uses its outputs"));
  EXPECT_THAT(err_, error(":2:108: error: node 'c': unknown type 'nul_sink'"));
  EXPECT_THAT(err_, error(":2:139: error: node 'c': 'on_error' is 'x'"));
  EXPECT_THAT(err_, error(":3:37: error: node 'd': input 'e' names no node"));
  EXPECT_THAT(err_, error(":3:51: error: node 'd': 'on_error' is 'y'"));
  EXPECT_EQ(std::count(err_.begin(), err_.end(), '\n'), 7) << err_;
}

// What a node's options say by themselves is wrong whatever the rest of the file is, and stands where it is
// written.
TEST_F(Program, CheckTellsWhatNodesThinkOfTheirOptionsWithAllElse) {
  const std::string bad =
      write("options.yaml",
            "version: 1\n"
            "models: {m: {path: none.onnx}}\n"
            "nodes:\n"
            "  - {id: a, type: video_source, options: {uri: 'test:bars', width: 65, height: 33}}\n"
            "  - {id: p, type: preprocess, inputs: a, options: {model: m, mean: [1, 2], std: 0}}\n"
            "  - {id: q, type: quantize, inputs: p, options: {scale: 0, zero_point: 1.5}}\n"
            "  - {id: s, type: video_source, options: {uri: 'test:barz'}}\n"
            "  - {id: v, type: video_sink, inputs: s, options: {path: x.foo}}\n"
            "  - {id: i, type: image_sink, inputs: s, options: {path: x.gif, qality: 3}}\n"
            "  - {id: o, type: null_sink, inputs: q}\n");
  EXPECT_EQ(run({"check", bad}), 2);
  const auto error = [&](const std::string& rest) { return HasSubstr(bad + rest); };
  EXPECT_THAT(err_,
              error(":4:68: error: node 'a': option 'width' is 65, allowed for test:bars: even numbers "));
  EXPECT_THAT(err_, error(":4:80: error: node 'a': option 'height' is 33"));
  EXPECT_THAT(err_, error(":5:68: error: node 'p': option 'mean' has 2 values, allowed: 1, or 3"));
  EXPECT_THAT(err_, error(":5:81: error: node 'p': option 'std' is 0, allowed: finite numbers above 0"));
  EXPECT_THAT(err_, error(":6:57: error: node 'q': option 'scale' is 0, allowed: positive and finite"));
  EXPECT_THAT(err_, error(":6:72: error: node 'q': option 'zero_point' is 1.5, allowed: whole numbers"));
  EXPECT_THAT(err_, error(":7:48: error: node 's': option 'uri' is 'test:barz'"));
  EXPECT_THAT(err_, error(":8:58: error: node 'v': option 'path' is "));
  EXPECT_THAT(err_, error(":9:58: error: node 'i': option 'path' is "));
  EXPECT_THAT(err_, error(":9:65: error: node 'i': unknown option 'qality'"));
  EXPECT_EQ(std::count(err_.begin(), err_.end(), '\n'), 10) << err_;
}

TEST_F(Program, WhatSetGivesIsRefusedAsSuch) {
  const std::string file = hello();
  EXPECT_EQ(run({"plan", file, "--set", "camera.width=65"}), 2);
  EXPECT_THAT(err_, HasSubstr("error: --set: node 'camera': option 'width' is 65, allowed for test:bars"));
}

TEST_F(Program, CheckOfValidFiles) {
  const std::string good = hello();
  EXPECT_EQ(run({"check", good}), 0) << err_;
  EXPECT_EQ(out_, good + ": valid\n");
  EXPECT_EQ(err_, "");
  EXPECT_EQ(run({"check", good, at("none.yaml")}), 2);
  EXPECT_EQ(out_, good + ": valid\n");
  EXPECT_EQ(err_, at("none.yaml") + ": error: cannot be read: No such file or directory\n");
}

TEST_F(Program, ADeviceWithoutItsProfileIsAnErrorOfTheFile) {
  const std::string nodes = read(hello());
  const std::string none = write("none.yaml", nodes + "device: {telemetry: simulated}\n");
  EXPECT_EQ(run({"check", none}), 2);
  EXPECT_THAT(err_,
              HasSubstr(none + ":5:21: error: device: telemetry is 'simulated', and 'profile' does not"));
  const std::string other = write("other.yaml", nodes + "device: {telemetry: simulated, profile: nope}\n");
  EXPECT_EQ(run({"check", other}), 2);
  EXPECT_THAT(err_, HasSubstr(other + ":5:41: error: device: profile: there is no profile '"));
}

TEST_F(Program, AnUnknownCommandIsNamed) {
  EXPECT_EQ(run({"rum", "x.yaml"}), 2);
  EXPECT_THAT(err_, StartsWith("sluice: error: there is no command 'rum', allowed: run, check, plan, "));
  EXPECT_THAT(err_, HasSubstr("; did you mean 'run'?\n"));
  EXPECT_EQ(run({}), 2);
  EXPECT_THAT(err_, StartsWith("sluice: error: a command is missing, allowed: run, check, plan, "));
}

TEST_F(Program, AMistypedOptionIsNamedWithItsNearMiss) {
  EXPECT_EQ(run({"run", "x.yaml", "--fraems", "3", "--vrbose"}), 2);
  EXPECT_THAT(
      err_, StartsWith("sluice: error: run: unknown option '--fraems', allowed: --help, --set, --frames, "));
  EXPECT_THAT(err_, HasSubstr("; did you mean '--frames'?\nsluice: error: run: unknown option '--vrbose', "));
  EXPECT_EQ(run({"--hlep"}), 2);
  EXPECT_EQ(err_,
            "sluice: error: unknown option '--hlep', allowed: --help, --version; did you mean '--help'?\n");
  EXPECT_EQ(run({"eval", "x.yaml", "--lables=l"}), 2);  // before what is then missing
  EXPECT_THAT(err_, HasSubstr("eval: unknown option '--lables', allowed: "));
  EXPECT_THAT(err_, HasSubstr("; did you mean '--labels'?\n"));
  EXPECT_EQ(run({"check", "x.yaml", "-q"}), 2);
  EXPECT_EQ(err_, "sluice: error: check: unknown option '-q', allowed: --help\n");
}

TEST_F(Program, AMistypedValueIsNamedWithItsNearMiss) {
  const auto says = [this](const std::vector<std::string>& words, const std::string& text) {
    EXPECT_EQ(run(words), 2);
    EXPECT_THAT(err_, HasSubstr(text));
  };
  says({"run", "x", "--log-level", "warn"},
       "sluice: error: run: --log-level: is 'warn', allowed: debug, info, warning, error; did you mean "
       "'warning'?");
  says({"thermal", "x", "--policies", "fixed,ballanced"},
       "is 'ballanced', allowed: fixed, latency, throughput, "
       "efficiency, balanced, sustained; did you mean 'balanced'?");
  says({"run", "x", "--device", "rael"},
       "'rael' is no device, allowed: real, sim:PROFILE, trace:RECORDING; did you "
       "mean 'real'?");
  says({"thermal", "x", "--device", "smi:x"}, "allowed: real, sim:PROFILE; did you mean 'sim'?");
  says({"run", hello(), "--pace", "realtme"}, "; did you mean 'realtime'?");
  says({"run", "x", "--duration", "10x"}, "'10x' is no duration such as 500ms, 10s, 30m, 1h or 10 (seconds)");
}

TEST_F(Program, WhatWasRefusedIsNoSuggestion) {
  for (const char* device : {"trace", "trace:somewhere", "sim:", "sim"}) {
    EXPECT_EQ(run({"thermal", "x", "--device", device}), 2);
    EXPECT_THAT(err_, HasSubstr(std::string("'") + device +
                                "' is no device, allowed: real, sim:PROFILE; sluice thermal"));
  }
}

TEST_F(Program, AStepOfTheLadderTakesOneModeOnly) {
  EXPECT_EQ(run({"run", "pipelines/face_fast.yaml", "--set", "face.degrade=[{performance_mode: auto}]"}), 2);
  EXPECT_THAT(err_, HasSubstr("'degrade.performance_mode' is 'auto', allowed: burst, "));
  EXPECT_THAT(err_, Not(HasSubstr("default, auto")));
}

TEST_F(Program, OtherWrongUseSaysItsCommandToo) {
  EXPECT_EQ(run({"run", "x.yaml", "y.yaml"}), 2);
  EXPECT_EQ(err_, "sluice: error: run: unexpected word 'y.yaml', allowed: FILE, options\n");
  EXPECT_EQ(run({"run"}), 2);
  EXPECT_EQ(err_, "sluice: error: run: FILE is required; sluice run --help tells more\n");
}

// Of the contract, which names what later versions have.
TEST_F(Program, WhatIsNotInThisVersionIsSaidToBe) {
  for (const char* const option : {"--serve=127.0.0.1:1", "--serve-token-file=t", "--record-inputs"}) {
    const std::string word = option;
    EXPECT_EQ(run({"run", "x.yaml", word}), 2);
    EXPECT_EQ(err_,
              "sluice: error: run: option '" + word.substr(0, word.find('=')) + "' is not in this version\n");
  }
  for (const char* const type : {"crop", "segment", "landmarks", "text_boxes", "text_decode", "track",
                                 "smooth", "replay_source", "live_view", "mqtt_sink", "motion"}) {
    EXPECT_EQ(run({"nodes", type}), 2);
    EXPECT_EQ(err_, std::string("sluice: error: node type '") + type + "' is not in this version\n");
  }
  const std::string file = write("crop.yaml", read(hello()) + "  - {id: c, type: crop, inputs: camera}\n");
  EXPECT_EQ(run({"check", file}), 2);
  EXPECT_THAT(
      err_, HasSubstr(":5:19: error: node 'c': type 'crop' is not in this version, allowed: video_source, "));
}

TEST_F(Program, AReportThatIsNotThereCannotBeExplained) {
  EXPECT_EQ(run({"explain", at("none.json")}), 2);
  EXPECT_EQ(err_, "sluice: error: '" + at("none.json") + "' cannot be read: No such file or directory\n");
  EXPECT_EQ(run({"explain", "/dev/null"}), 2);
  EXPECT_EQ(err_, "sluice: error: '/dev/null' cannot be explained: it is not JSON\n");
}

TEST_F(Program, TheReportOfARunThatWasRefusedSaysSo) {
  const std::string file = hello();
  const std::string report = at("report.json");
  ASSERT_EQ(run({"run", file, "--frames", "1", "--record", at("kept")}), 0) << err_;
  EXPECT_EQ(run({"run", file, "--frames", "1", "--record", at("kept"), "--report", report}), 1);
  const auto json = nlohmann::json::parse(read(report));
  EXPECT_EQ(json["status"], "failed");
  EXPECT_THAT(json["error"].get<std::string>(), HasSubstr("--force"));
}

TEST_F(Program, ALogFileThatTheRunUsesIsRefused) {
  const std::string file = hello();
  const std::string text = read(file);
  EXPECT_EQ(run({"run", file, "--frames", "1", "--log-file", file}), 2);
  EXPECT_THAT(err_, HasSubstr("--log-file is '"));
  EXPECT_EQ(read(file), text);
}

TEST_F(Program, AModelWithoutAPathIsSaidOnce) {
  const std::string file = write("m.yaml", "models: {face: 3}\n" + read(hello()));
  EXPECT_EQ(run({"check", file}), 2);
  EXPECT_EQ(err_, file + ":1:16: error: model 'face' is 3, must be a map with 'path'\n");
}

TEST_F(Program, AMissingModelIsThree) {
  const std::string file = write("m.yaml",
                                 "version: 1\nmodels: {face: {path: none.onnx}}\nnodes:\n"
                                 "  - {id: camera, type: video_source, options: {uri: test:bars}}\n"
                                 "  - {id: pre, type: preprocess, inputs: camera, options: {model: face}}\n"
                                 "  - {id: face, type: infer, inputs: pre, options: {model: face}}\n"
                                 "  - {id: out, type: null_sink, inputs: face}\n");
  EXPECT_EQ(run({"check", file}), 3) << err_;
  EXPECT_THAT(err_, HasSubstr(file + ":2:23: error: "));
  EXPECT_EQ(run({"run", file}), 3);
}

TEST_F(Program, PlanInAllFormats) {
  const std::string file = hello();
  EXPECT_EQ(run({"plan", file}), 0);
  EXPECT_THAT(out_, StartsWith("pipeline hello: "));
  EXPECT_EQ(run({"plan", file, "--format", "json"}), 0);
  EXPECT_EQ(nlohmann::json::parse(out_)["pipeline"], "hello");
  EXPECT_EQ(run({"plan", file, "--format", "dot"}), 0);
  EXPECT_THAT(out_, StartsWith("digraph \"hello\""));
  EXPECT_EQ(run({"plan", file, "--format", "svg"}), 0);
  EXPECT_THAT(out_, StartsWith("<svg "));
}

TEST_F(Program, NodesAndSchema) {
  EXPECT_EQ(run({"nodes"}), 0);
  EXPECT_THAT(out_, HasSubstr("preprocess"));
  EXPECT_EQ(run({"nodes", "preprocess"}), 0);
  EXPECT_THAT(out_, HasSubstr("stretch, letterbox, crop"));
  EXPECT_EQ(run({"nodes", "preproces"}), 2);
  EXPECT_THAT(err_, HasSubstr("did you mean 'preprocess'?"));
  EXPECT_EQ(run({"schema"}), 0);
  EXPECT_EQ(nlohmann::json::parse(out_)["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

TEST_F(Program, DoctorIsOneDocument) {
  EXPECT_EQ(run({"doctor", "--json"}), 0);
  const auto json = nlohmann::json::parse(out_);
  EXPECT_EQ(json["backends"].size(), 4u);
  EXPECT_EQ(run({"doctor"}), 0);
  EXPECT_THAT(out_, HasSubstr("backends\n  htp: "));
}

TEST_F(Program, InspectRefusesWhatIsNoModel) {
  EXPECT_EQ(run({"inspect", at("none.onnx")}), 3);
  EXPECT_THAT(err_, HasSubstr("none.onnx"));
  EXPECT_EQ(run({"inspect", write("a.tflite", "xxxxTFL3xxxxxxxx")}), 3);
  EXPECT_THAT(err_, HasSubstr("tf2onnx"));
  EXPECT_EQ(out_, "");
}

TEST_F(Program, CompileChecksWhatItIsAskedFor) {
  const std::string out = at("out.onnx");
  EXPECT_EQ(run({"compile", "m.onnx", "--backend", "hpt", "-o", out}), 2);
  EXPECT_THAT(err_, HasSubstr("--backend is 'hpt', allowed: htp, gpu, cpu, fake; did you mean 'htp'?"));
  EXPECT_EQ(run({"compile", "m.onnx", "--backend", "htp", "-o", out, "--soc", "sm8550,sm865"}), 2);
  EXPECT_THAT(err_, HasSubstr("--soc is 'sm865'"));
  EXPECT_EQ(run({"compile", "m.onnx", "--backend", "htp", "-o", out, "--soc", "sm8550,sm8650,sm8550"}), 2);
  EXPECT_THAT(err_, HasSubstr("--soc names 'sm8550' twice"));
  EXPECT_EQ(run({"compile", "m.onnx", "--backend", "cpu", "-o", out, "--soc", "sm8550"}), 2);
  EXPECT_EQ(run({"compile", "m.onnx", "--backend", "cpu", "-o", out}), 3);
  EXPECT_THAT(err_, HasSubstr("backend 'cpu' compiles nothing ahead of time"));
  EXPECT_EQ(run({"compile", "m.onnx", "--backend", "cpu", "-o", write("there.onnx", "x")}), 1);
  EXPECT_THAT(err_, HasSubstr("use --force"));
  EXPECT_EQ(run({"compile", "m.onnx", "--backend", "htp", "-o", out, "--shape", "x=1xn"}), 2);
  EXPECT_THAT(err_, HasSubstr("'x=1xn' is no NAME=DIMS such as input=1x3x256x256"));
  EXPECT_FALSE(fs::exists(out));
}

// Before the model is opened and anything is measured, which may take minutes.
TEST_F(Program, CompileFindsFirstWhetherItsResultCanBeWritten) {
  for (const char* backend : {"gpu", "htp"}) {
    EXPECT_EQ(run({"compile", "m.onnx", "--backend", backend, "-o", at("none/out.onnx")}), 1);
    EXPECT_THAT(err_, StartsWith("sluice: error: -o: '" + at("none/out.onnx") + "'"));
    EXPECT_THAT(err_, HasSubstr("No such file or directory"));
  }
}

#if defined(__x86_64__)
TEST_F(Program, CompileWritesOneModelPerChip) {
  const std::string model = "data/models/face_detection_front_128x128.onnx";
  EXPECT_EQ(run({"compile", model, "--backend", "htp", "-o", at("face.onnx"), "--soc", "sm8550,sm8650"}), 0)
      << err_;
  EXPECT_THAT(out_, HasSubstr("face.sm8550.onnx: for sm8550 "));
  EXPECT_GT(fs::file_size(at("face.sm8650.onnx")), 100'000u);
  EXPECT_EQ(run({"compile", model, "--backend", "htp", "-o", at("face.onnx"), "--soc", "qcs6490"}), 3);
  EXPECT_THAT(err_, HasSubstr("(v68) has no fp16 arithmetic"));
  // What was compiled is a model, of its own chip.
  EXPECT_EQ(run({"compile", at("face.sm8550.onnx"), "--backend", "htp", "-o", at("again.onnx")}), 3);
  EXPECT_THAT(err_, HasSubstr("is compiled already"));
}
#endif

TEST_F(Program, RunWritesItsReport) {
  EXPECT_EQ(run({"run", hello(), "--frames", "20", "--pace", "max", "--report", at("r.json")}), 0) << err_;
  EXPECT_EQ(out_, "");
  EXPECT_THAT(err_, HasSubstr("hello: completed, 20 frames produced"));
  const auto report = nlohmann::json::parse(read(at("r.json")));
  EXPECT_EQ(report["status"], "completed");
  EXPECT_EQ(report["frames"]["produced"], 20);
}

TEST_F(Program, QuietIsSilent) {
  EXPECT_EQ(run({"run", hello(), "--frames", "5", "--quiet"}), 0);
  EXPECT_EQ(err_, "");
}

TEST_F(Program, AReportThatCannotBeWrittenFails) {
  EXPECT_EQ(run({"run", hello(), "--frames", "5", "--report", "/dev/full"}), 1);
  EXPECT_THAT(err_, HasSubstr("--report: '/dev/full' cannot be written: No space left on device"));
}

TEST_F(Program, RangesOfNoModelAreSaidToBeNone) {
  EXPECT_EQ(run({"run", hello(), "--frames", "2", "--collect-ranges", at("ranges.json")}), 0);
  EXPECT_THAT(err_, HasSubstr("warning: --collect-ranges: no model ran"));
}

TEST_F(Program, ResultsThatCannotBeWrittenFail) {
  EXPECT_EQ(wait(start({"schema"}, "/dev/full")), 1);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--help"}, {"inspect", "--help"}, {"--version"}}) {
    EXPECT_EQ(wait(start(words, "/dev/full")), 1) << words[0];
    EXPECT_THAT(err_, HasSubstr("stdout cannot be written: No space left on device"));
  }
  EXPECT_THAT(err_, HasSubstr("stdout cannot be written: No space left on device"));
}

TEST_F(Program, ApplicationEndsNeedAnApplication) {
  const std::string file =
      write("app.yaml",
            "version: 1\nnodes:\n  - {id: camera, type: video_source, options: {uri: test:bars}}\n"
            "  - {id: mine, type: app_sink, inputs: camera}\n");
  EXPECT_EQ(run({"run", file, "--frames", "1"}), 2);
  EXPECT_THAT(
      err_,
      HasSubstr(file + ":4:10: error: node 'mine': app_sink is the end of a program that uses the C++ API"));
}

TEST_F(Program, OneSignalDrains) {
  const std::string file =
      write("lines.yaml",
            "version: 1\nnodes:\n  - {id: camera, type: video_source, options: {uri: test:bars, pace: 30}}\n"
            "  - {id: out, type: json_sink, inputs: camera}\n");
  ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
  const pid_t child = start({"run", file, "--report", at("r.json")}, at("pipe"));
  std::ifstream lines(at("pipe"));
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));  // it runs
  ::kill(child, SIGINT);
  while (std::getline(lines, line)) EXPECT_TRUE(nlohmann::json::accept(line));
  EXPECT_EQ(wait(child), 0) << err_;
  const auto report = nlohmann::json::parse(read(at("r.json")));
  EXPECT_EQ(report["status"], "stopped");
  EXPECT_EQ(report["frames"]["produced"], report["frames"]["delivered"]);
}

TEST_F(Program, WrongUseIsTwo) {
  EXPECT_EQ(run({"fly"}), 2);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(run({"run", hello(), "--set", "camera.urri=x"}), 2);
  EXPECT_THAT(err_, HasSubstr("did you mean 'uri'?"));
  EXPECT_EQ(run({"run", hello(), "--report", "x", "--trace", "x"}), 2);
}

}  // namespace
}  // namespace sluice::cli
