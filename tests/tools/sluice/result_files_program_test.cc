// Where results go: never over what the command reads or writes besides, and never silently nowhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tools/sluice/program.h"

namespace sluice::cli {
namespace {

using ::testing::HasSubstr;

class ResultFiles : public Program {
 protected:
  // Wrong use, and each of `words` is said.
  void refused(const std::vector<std::string>& command, const std::vector<std::string>& words) {
    EXPECT_EQ(run(command), 2);
    EXPECT_EQ(out_, "");
    for (const std::string& word : words) EXPECT_THAT(err_, HasSubstr(word));
  }
};

TEST_F(ResultFiles, NeverReplaceAProfileThatTheDeviceIsMadeFrom) {
  const std::string profile = write("mine.yaml", "precious");
  for (const char* const option : {"--report", "--json", "--csv"})
    refused({"thermal", hello(), "--device", "sim:" + profile, option, profile},
            {std::string(option) + " is '" + profile + "', but --device uses that file"});
  refused({"run", hello(), "--device", "sim:" + profile, "--report", profile},
          {"--report is '" + profile + "', but --device uses that file"});
  refused({"run", hello(), "--device", "sim:generic", "--timings", profile, "--report", profile},
          {"--report is '" + profile + "', but --timings uses that file"});
  const std::string file = write(
      "simulated.yaml", read(hello()) + "device: {telemetry: simulated, profile: " + at("own.yaml") + "}\n");
  fs::copy_file("profiles/generic.yaml", at("own.yaml"));
  refused({"run", file, "--report", at("own.yaml")}, {"--report is", "but the device uses that file"});
  EXPECT_EQ(read(profile), "precious");
}

TEST_F(ResultFiles, NeverReplaceWhatIsComparedOrFitted) {
  const std::string a = write("A.json", "precious"), b = write("B.json", "too");
  refused({"thermal", "--compare", a, b, "--report", b},
          {"--report is '" + b, "but --compare uses that file"});
  fs::create_directories(at("rf"));
  const std::string readings = write("rf/readings.jsonl", "precious");
  refused({"fit", at("rf"), "-o", readings, "--force"}, {"-o is '" + readings, "but TRACE uses that file"});
  refused({"fit", at("rf"), "-o", a, "--base", a, "--force"}, {"-o is '" + a, "but --base uses that file"});
  EXPECT_EQ(read(readings) + read(a) + read(b), "preciousprecioustoo");
}

TEST_F(ResultFiles, NeverMeetTheFilesOfARecording) {
  const std::string folder = at("rr"), readings = folder + "/readings.jsonl";
  refused({"run", hello(), "--record", folder, "--trace", readings},
          {"--trace and --record name the same file '" + readings});
  const std::string file =
      write("lines.yaml",
            "version: 1\nnodes:\n  - {id: camera, type: video_source, options: {uri: "
            "test:bars}}\n  - {id: out, type: json_sink, inputs: camera, options: {path: " +
                folder + "/report.json, overwrite: true}}\n");
  refused({"run", file, "--record", folder},
          {"--record is '" + folder + "/report.json', but node 'out' uses that file"});
  EXPECT_FALSE(fs::exists(folder));
}

TEST_F(ResultFiles, ATraceOfASimulatedDeviceIsRefused) {
  refused({"run", hello(), "--device", "sim:generic", "--frames", "2", "--trace", at("t.json")},
          {"--trace: on the device 'sim:generic' nothing is executed"});
  EXPECT_FALSE(fs::exists(at("t.json")));
}

TEST_F(ResultFiles, AModelsNameSaysWhatItIs) {
  const std::string model = write("m.onnx", "");
  for (const char* const ending : {".bin", ".dlc", ".tflite"}) {
    const std::string output = at("q") + ending;
    const std::string words = "-o is '" + output + "', but the result is an ONNX model";
    refused({"compile", model, "--backend", "cpu", "-o", output}, {words});
    refused({"quantize", model, "--data", folder_.string(), "-o", output}, {words});
  }
}

TEST_F(ResultFiles, EmptyNamesAreRefused) {
  for (const char* const option : {"--report", "--trace", "--record", "--log-file"})
    refused({"run", hello(), "--frames", "1", option, ""}, {std::string(option) + ": is empty"});
}

TEST_F(ResultFiles, NamesThatCannotBeLookedUpAreRefusedByTheirOption) {
  const std::string too_long = at(std::string(300, 'n')), loop = at("loop");
  fs::create_symlink("loop", loop);
  const std::string model = write("m.onnx", "");
  for (const std::string& name : {too_long, loop}) {
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"compile", model, "--backend", "cpu", "-o", name},
          {"fit", at("trace"), "-o", name},
          {"run", hello(), "--frames", "1", "--collect-ranges", name},
          {"thermal", hello(), "--device", "sim:generic", "--json", name, "--resume"}}) {
      EXPECT_EQ(run(command), 1) << command[0];
      EXPECT_THAT(err_, HasSubstr(": '" + name + "' cannot be written: ")) << command[0];
    }
  }
  EXPECT_EQ(run({"eval", hello(), "--labels", too_long}), 2);
  EXPECT_THAT(err_, HasSubstr("--labels '" + too_long + "': cannot be read: "));
}

TEST_F(ResultFiles, OptionsWithoutEffectBesideCompareAreNamed) {
  refused({"thermal", "--compare", "A.json", "B.json", "--min-fps", "3", "--json", "x", "--duration", "5s"},
          {"--compare: runs nothing, so", "--duration", "--json", "--min-fps"});
}

TEST_F(ResultFiles, ALogThatCannotBeWrittenFailsTheRun) {
  fs::create_directories(at("pics"));
  write("pics/a.ppm", "P3 2 2 255 1 2 3 1 2 3 1 2 3 1 2 3");
  write("pics/b.ppm", "broken, which is logged");
  const std::string file =
      write("pics.yaml",
            "version: 1\nnodes:\n  - {id: s, type: image_source, options: {path: pics}}\n"
            "  - {id: out, type: null_sink, inputs: s}\n");
  EXPECT_EQ(run({"run", file, "--log-file", "/dev/full"}), 1);
  EXPECT_THAT(err_, HasSubstr("--log-file: the log file '/dev/full' could not take all messages: "));
  EXPECT_EQ(run({"run", file, "--log-file", at("log")}), 0) << err_;
}

}  // namespace
}  // namespace sluice::cli
