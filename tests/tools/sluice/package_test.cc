// `sluice package` and `sluice run DIR`: what is taken along, that it runs elsewhere, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tools/sluice/package_manifest.h"
#include "tools/sluice/plain_secrets.h"
#include "tools/sluice/rewrite_paths.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

std::string read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::vector<NewPath> paths_of(const ParsedSpec& parsed, const std::string& to) {
  std::vector<NewPath> out;
  out.reserve(parsed.spec.models.size() + parsed.spec.nodes.size());
  for (const ModelSpec& model : parsed.spec.models) out.push_back({model.path_mark, model.path, to});
  for (const NodeSpec& node : parsed.spec.nodes)
    if (const Value* uri = node.options.find("uri")) out.push_back({uri->mark, *uri->text(), to});
  return out;
}

TEST(RewritePaths, ReplacesScalarsHoweverTheyAreWritten) {
  const std::string text =
      "version: 1\n"
      "models:\n"
      "  a: {path: ../a b.onnx}  # kept\n"
      "  b:\n"
      "    path: ../b,[c].onnx # kept too\n"
      "  c: {path: \"../\\u00e4.onnx\", dims: {N: 1}}\n"
      "  ä: {path: '../it''s.onnx'}\n"
      "nodes:\n"
      "  - {id: x, type: video_source, options: &v {uri: ../v.mp4}}\n"
      "  - {id: z, type: video_source, options: *v}\n";
  const ParsedSpec before = parse_spec_text(text);
  ASSERT_TRUE(before.ok()) << before.issues.at(0).message;
  const std::string to = "models/$x \"y\"/z.onnx";
  const auto rewritten = rewrite_paths(text, paths_of(before, to));
  ASSERT_TRUE(rewritten.ok()) << rewritten.status().message();
  const ParsedSpec after = parse_spec_text(*rewritten);
  ASSERT_TRUE(after.ok()) << *rewritten;
  const auto paths = paths_of(after, "");
  ASSERT_EQ(paths.size(), 6u);
  for (const NewPath& path : paths) EXPECT_EQ(path.from, to);
  EXPECT_THAT(*rewritten, HasSubstr("# kept\n"));
  EXPECT_THAT(*rewritten, HasSubstr("# kept too\n"));
  EXPECT_THAT(*rewritten, HasSubstr("dims: {N: 1}}"));
}

TEST(RewritePaths, TakesAVariableAsPartOfItsPath) {
  ::setenv("SLUICE_TEST_MODELS", "m", 1);
  const std::string text =
      "version: 1\nmodels:\n"
      "  a:\n    path: ${SLUICE_TEST_MODELS}/a.onnx # kept\n"
      "  b:\n    path: ${SLUICE_TEST_NONE:-x, y}/b, c.onnx\n";
  const ParsedSpec parsed = parse_spec_text(text);
  ASSERT_EQ(parsed.spec.models.size(), 2u);
  EXPECT_EQ(parsed.spec.models[0].path, "m/a.onnx");
  const auto rewritten = rewrite_paths(text, paths_of(parsed, "n"));
  ASSERT_TRUE(rewritten.ok()) << rewritten.status().message();
  EXPECT_EQ(*rewritten, "version: 1\nmodels:\n  a:\n    path: \"n\" # kept\n  b:\n    path: \"n\"\n");
}

TEST(RewritePaths, RefusesWhatItCannotReplace) {
  const std::string text = "version: 1\nmodels:\n  a:\n    path: >-\n      a.onnx\n";
  const ParsedSpec parsed = parse_spec_text(text);
  ASSERT_EQ(parsed.spec.models.size(), 1u);
  const auto rewritten = rewrite_paths(text, paths_of(parsed, "b"));
  ASSERT_FALSE(rewritten.ok());
  EXPECT_THAT(rewritten.status().message(), HasSubstr("cannot be replaced here"));
}

class Package : public ::testing::Test {
 public:
  ~Package() override { fs::remove_all(folder_); }

 protected:
  Package() : folder_(fs::path(::testing::TempDir()) / ("package_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_ / "elsewhere");
  }
  fs::path at(const std::string& name) const { return folder_ / name; }
  int run(const std::string& arguments, const std::string& from = ".") {
    const std::string line = "cd " + from + " && " + SLUICE_PROGRAM + " " + arguments + " > " +
                             at("out").string() + " 2> " + at("err").string() + " < /dev/null";
    const int status = std::system(line.c_str());
    out_ = read(at("out"));
    err_ = read(at("err"));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // pipelines/face_fast.yaml as a package that was copied elsewhere.
  fs::path make_face_fast() {
    EXPECT_EQ(run("package pipelines/face_fast.yaml -o " + at("made").string()), 0) << err_;
    fs::rename(at("made"), at("elsewhere/face"));
    return at("elsewhere/face");
  }
  static void change_manifest(const fs::path& package, auto&& change) {
    auto manifest = nlohmann::json::parse(read(package / "manifest.json"));
    change(manifest);
    std::ofstream(package / "manifest.json") << manifest.dump();
  }

  fs::path folder_;
  std::string out_, err_;
};

TEST_F(Package, RunsElsewhereWithWhatItTookAlong) {
  const fs::path package = make_face_fast();
  EXPECT_EQ(err_, "");
  for (const char* file : {"pipeline.yaml", "manifest.json", "input_specs.json", "quantization_config.json",
                           "models/face/face_detection_front_128x128.onnx", "files/face720.mp4"})
    EXPECT_TRUE(fs::is_regular_file(package / file)) << file;
  EXPECT_THAT(read(package / "pipeline.yaml"), Not(HasSubstr("../")));
  EXPECT_THAT(read(package / "pipeline.yaml"), HasSubstr("# As fast as possible"));
  const auto specs = nlohmann::json::parse(read(package / "input_specs.json"));
  EXPECT_EQ(specs["models"]["face"]["inputs"]["input:0"]["shape"], nlohmann::json({1, 128, 128, 3}));
  ASSERT_EQ(run("run face --frames 2 --quiet", package.parent_path().string()), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("\"label\": \"face\""));
  // What a run writes beside it is no damage.
  std::ofstream(package / "output" / "log.txt") << "x";
  EXPECT_EQ(run("run " + package.string() + " --frames 1 --quiet"), 0) << err_;
}

TEST_F(Package, TakesAlongTheProfileOfItsDevice) {
  fs::copy("profiles/generic.yaml", at("board.yaml"));
  std::ofstream(at("p.yaml")) << "version: 1\nnodes:\n"
                                 "  - {id: a, type: video_source, options: {uri: 'test:bars'}}\n"
                                 "  - {id: o, type: null_sink, inputs: a}\n"
                                 "device: {telemetry: simulated, profile: ./board.yaml}\n";
  ASSERT_EQ(run("package " + at("p.yaml").string() + " -o " + at("elsewhere/p").string()), 0) << err_;
  fs::remove(at("board.yaml"));
  EXPECT_EQ(run("run " + at("elsewhere/p").string() + " --frames 1 --quiet"), 0) << err_;
  EXPECT_TRUE(fs::is_regular_file(at("elsewhere/p/files/board.yaml")));
}

TEST_F(Package, DamagedAndMissingFilesAreNamed) {
  const fs::path package = make_face_fast();
  const fs::path model = package / "models/face/face_detection_front_128x128.onnx";
  std::fstream(model, std::ios::in | std::ios::out | std::ios::binary).seekp(1000).write("x", 1);
  fs::remove(package / "input_specs.json");
  EXPECT_EQ(run("run " + package.string() + " --frames 1"), 3);
  EXPECT_EQ(out_, "");
  EXPECT_THAT(err_, HasSubstr("'models/face/face_detection_front_128x128.onnx' has sha256 "));
  EXPECT_THAT(err_, HasSubstr("'input_specs.json' is missing"));
  EXPECT_THAT(err_, HasSubstr("the package is damaged"));
}

TEST_F(Package, NothingLeadsOutOfIt) {
  const fs::path package = make_face_fast();
  for (const std::string path : {"../secret", "/etc/passwd", "models/../../secret", ""}) {
    change_manifest(package, [&](auto& manifest) { manifest["files"][0]["path"] = path; });
    const auto verified = verify_package(package.string());
    ASSERT_FALSE(verified.ok()) << path;
    EXPECT_EQ(verified.status().code(), Code::kInvalid);
    EXPECT_THAT(verified.status().message(), HasSubstr("which is not inside the package"));
  }
}

TEST_F(Package, LinksAreNoFiles) {
  const fs::path package = make_face_fast();
  fs::rename(package / "models", at("models"));
  fs::create_symlink(at("models"), package / "models");
  EXPECT_EQ(run("run " + package.string()), 3);
  EXPECT_THAT(err_, HasSubstr("is, or lies behind, a symbolic link"));
}

TEST_F(Package, AFolderWithoutAManifestIsNone) {
  EXPECT_EQ(run("run " + at("elsewhere").string()), 2);
  EXPECT_THAT(err_, HasSubstr("is no package: there is no manifest.json"));
  std::ofstream(at("elsewhere/manifest.json")) << R"({"version": 2, "files": []})";
  EXPECT_EQ(run("run " + at("elsewhere").string()), 2);
  EXPECT_THAT(err_, HasSubstr("has version 2, this program reads version 1"));
  std::ofstream(at("elsewhere/manifest.json")) << R"({"version": 1, "files": [{"path": "pipeline.yaml"}]})";
  EXPECT_EQ(run("run " + at("elsewhere").string()), 2);
  EXPECT_THAT(err_, HasSubstr("is no manifest of a package"));
}

TEST_F(Package, ReplacesOnlyAPackageAndOnlyWhenAsked) {
  const std::string make = "package pipelines/hello.yaml -o " + at("made").string();
  ASSERT_EQ(run(make), 0) << err_;
  EXPECT_EQ(run(make), 1);
  EXPECT_THAT(err_, HasSubstr("exists; write --force to replace it"));
  std::ofstream(at("made/old.txt")) << "x";
  EXPECT_EQ(run(make + " --force"), 0) << err_;
  EXPECT_FALSE(fs::exists(at("made/old.txt")));
  std::ofstream(at("elsewhere/mine.txt")) << "precious";
  EXPECT_EQ(run("package pipelines/hello.yaml --force -o " + at("elsewhere").string()), 1);
  EXPECT_THAT(err_, HasSubstr("is no package"));
  EXPECT_EQ(read(at("elsewhere/mine.txt")), "precious");
}

TEST_F(Package, APasswordThatIsWrittenOutIsSaid) {
  std::ofstream(at("p.yaml"))
      << "version: 1\nnodes:\n"
         "  - {id: a, type: video_source, options: {uri: 'rtsp://joe:hunter2@h/x'}}\n"
         "  - {id: b, type: video_source, options: {uri: 'rtsp://joe:${PW:-x}@h/y'}}\n"
         "  - {id: o, type: null_sink, inputs: a}\n"
         "  - {id: p, type: null_sink, inputs: b}\n";
  ASSERT_EQ(run("package " + at("p.yaml").string() + " -o " + at("made").string()), 0) << err_;
  EXPECT_THAT(err_,
              HasSubstr(":3:3: warning: a password is written here, and so in the package: write ${NAME}"));
  EXPECT_THAT(err_, HasSubstr(":4:3: warning: a password"));
  EXPECT_THAT(err_, Not(HasSubstr("hunter2")));
}

TEST_F(Package, AByteOrderMarkIsNotTakenAlong) {
  std::ofstream(at("p.yaml")) << "\xEF\xBB\xBFversion: 1\nnodes:\n"
                                 "  - {id: a, type: video_source, options: {uri: 'test:bars'}}\n"
                                 "  - {id: o, type: null_sink, inputs: a}\n";
  ASSERT_EQ(run("package " + at("p.yaml").string() + " -o " + at("made").string()), 0) << err_;
  EXPECT_EQ(run("check " + at("made/pipeline.yaml").string()), 0) << err_;
  EXPECT_EQ(read(at("made/pipeline.yaml")).find("\xEF\xBB\xBF"), std::string::npos);
}

TEST(PlainSecrets, VariablesAreNone) {
  const Issues issues = plain_secrets(
      "a: rtsp://joe:${PW}@h\nb: http://${TOKEN}@h\n\n  c: http://h?token=${T}&n=1\nd: "
      "rtsp://${U:-joe}:pw@h\ne: ${");
  ASSERT_EQ(issues.size(), 1u);
  EXPECT_EQ(issues[0].mark.line, 5);
  EXPECT_TRUE(issues[0].warning);
  EXPECT_TRUE(plain_secrets("").empty());
}

TEST_F(Package, AMissingFileLeavesNothingBehind) {
  std::ofstream(at("bad.yaml")) << "version: 1\nnodes:\n"
                                   "  - {id: camera, type: video_source, options: {uri: none.mp4}}\n"
                                   "  - {id: out, type: null_sink, inputs: camera}\n";
  EXPECT_EQ(run("package " + at("bad.yaml").string() + " -o " + at("elsewhere/made").string()), 2);
  EXPECT_THAT(err_,
              HasSubstr(at("bad.yaml").string() +
                        ":3:53: error: node 'camera': option 'uri' names 'none.mp4', which is no file"));
  EXPECT_TRUE(fs::is_empty(at("elsewhere")));
}

class PackageOfPictures : public Package {
 protected:
  PackageOfPictures() {
    for (const char* folder : {"red", "blue"}) {
      fs::create_directories(at("pics") / folder);
      for (const char* name : {"01", "02", "11"})
        std::ofstream(at("pics") / folder / (std::string(name) + ".ppm"))
            << "P3 2 2 255 1 2 3 1 2 3 1 2 3 1 2 3";
    }
  }
  std::string pipeline(const std::string& nodes) const {
    std::ofstream(at("p.yaml")) << "version: 1\nnodes:\n" << nodes;
    return at("p.yaml").string();
  }
  static std::size_t count(const fs::path& folder) {
    std::size_t out = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) out += entry.is_regular_file();
    return out;
  }
};

TEST_F(PackageOfPictures, FoldersThatSinksWriteToStayApart) {
  const std::string file = pipeline(
      "  - {id: s, type: image_source, options: {path: pics/red}}\n"
      "  - {id: t, type: image_source, options: {path: pics/blue}}\n"
      "  - {id: o, type: image_sink, inputs: s, options: {path: a/, overwrite: true}}\n"
      "  - {id: p, type: image_sink, inputs: t, options: {path: 'b/s_{frame}.jpg', overwrite: true}}\n"
      "  - {id: q, type: image_sink, inputs: t, options: {path: 'c/', overwrite: true}}\n"
      "  - {id: r, type: json_sink, inputs: t, options: {path: c/r.jsonl}}\n");
  ASSERT_EQ(run("package " + file + " -o " + at("made").string()), 0) << err_;
  ASSERT_EQ(run("run " + at("made").string() + " --quiet"), 0) << err_;
  EXPECT_EQ(count(at("made/output")), 10u);
  EXPECT_TRUE(fs::exists(at("made/output/2/s_000000.jpg")));
  EXPECT_TRUE(fs::exists(at("made/output/3/r.jsonl")));
}

TEST_F(PackageOfPictures, NeverTakesItselfAlong) {
  const std::string sink = "  - {id: o, type: null_sink, inputs: s}\n";
  const std::string place = at("pics/red/pk").string();
  EXPECT_EQ(run("package " + pipeline("  - {id: s, type: image_source, options: {path: pics/red}}\n" + sink) +
                " -o " + place),
            2);
  EXPECT_THAT(err_, HasSubstr("-o is '" + place + "', which lies in the folder '" + at("pics/red").string() +
                              "' that the package takes along"));
  EXPECT_FALSE(fs::exists(place));
  EXPECT_EQ(
      run("package " + pipeline("  - {id: s, type: image_source, options: {path: .}}\n" + sink) + " -o pack",
          folder_.string()),
      2);
  EXPECT_EQ(count(at("pics")), 6u);
}

TEST_F(PackageOfPictures, APatternTakesAlongWhatItMatches) {
  const std::string sink = "  - {id: o, type: null_sink, inputs: s}\n";
  const std::string file =
      pipeline("  - {id: s, type: image_source, options: {path: 'pics/*/0*.ppm'}}\n" + sink);
  ASSERT_EQ(run("package " + file + " -o " + at("made").string()), 0) << err_;
  EXPECT_EQ(count(at("made/files/pics")), 4u);
  ASSERT_EQ(run("run " + at("made").string()), 0) << err_;
  EXPECT_THAT(err_, HasSubstr("4 frames"));
  EXPECT_EQ(
      run("package " + pipeline("  - {id: s, type: image_source, options: {path: 'pics/9*'}}\n" + sink) +
          " -o " + at("none").string()),
      2);
  EXPECT_THAT(err_,
              HasSubstr(at("p.yaml").string() + ":3:49: error: node 's': option 'path' names 'pics/9*'"));
}

#if defined(__x86_64__)
// The chip's context comes along and is what the run loads: nothing is compiled there.
TEST_F(Package, HoldsTheContextsOfTheChipThatIsNamed) {
  ASSERT_EQ(run("package pipelines/face_fast_htp.yaml -o " + at("made").string()), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("compiled for htp on sm8550: 1 contexts"));
  const auto config = nlohmann::json::parse(read(at("made/quantization_config.json")));
  EXPECT_GT(config["models"]["face"]["activations"]["uint16"], 50);
  EXPECT_TRUE(fs::is_regular_file(at("made") / config["models"]["face"]["encodings"].get<std::string>()));
  const auto artifacts = [&] {
    std::map<std::string, fs::file_time_type> out;
    for (const auto& entry : fs::directory_iterator(at("made/artifacts")))
      out[entry.path().filename().string()] = entry.last_write_time();
    return out;
  };
  const auto before = artifacts();
  ASSERT_EQ(before.size(), 1u);
  ASSERT_EQ(run("run made --frames 1 --quiet --report report.json", folder_.string()), 0) << err_;
  EXPECT_EQ(artifacts(), before);
  const auto report = nlohmann::json::parse(read(at("report.json")));
  EXPECT_EQ(report["inference"][0]["backend"], "htp");
  EXPECT_EQ(report["inference"][0]["simulated"], true);
}
#endif

}  // namespace
}  // namespace sluice::cli
