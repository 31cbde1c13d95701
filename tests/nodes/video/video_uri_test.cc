// What stands in the library itself: addresses, file names of pictures, declarations, the loader of modules.
#include "nodes/video_uri.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "nodes/module_loader.h"
#include "nodes/picture_name.h"
#include "nodes/video_nodes.h"
#include "tests/nodes/fake_source.h"
#include "tests/nodes/video/media.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using namespace sluice::testing;

TEST(VideoUri, TellsFilesStreamsAndPatterns) {
  const struct {
    const char* uri;
    VideoBackend backend;
    const char* target;
  } cases[] = {{"a/b.mp4", VideoBackend::kFile, "a/b.mp4"},
               {"file:x:y.mp4", VideoBackend::kFile, "x:y.mp4"},
               {"file:///tmp/x.mp4", VideoBackend::kFile, "/tmp/x.mp4"},
               {"/data/10:20.mp4", VideoBackend::kFile, "/data/10:20.mp4"},
               {"C:x", VideoBackend::kFile, "C:x"},
               {"rtsp://h/1", VideoBackend::kNetwork, "rtsp://h/1"},
               {"HTTP://h/1", VideoBackend::kNetwork, "http://h/1"},
               {"test:noise", VideoBackend::kTest, "noise"}};
  for (const auto& c : cases) {
    const Result<VideoUri> uri = parse_video_uri(c.uri);
    ASSERT_TRUE(uri.ok()) << c.uri << ": " << uri.status().message();
    EXPECT_EQ(uri->backend, c.backend) << c.uri;
    EXPECT_EQ(uri->target, c.target);
  }
}

TEST(VideoUri, AnHttpAddressIsLiveUnlessItNamesAVideoFile) {
  for (const char* live :
       {"rtsp://h/day.mp4", "rtsps://h/1", "http://h", "http://h/cam", "http://h.ts", "https://h/v.cgi",
        "http://h/a.mp4/live", "http://h/video?file=a.mp4", "http://h/x.mjpg", "http://h/.mp4x"}) {
    EXPECT_TRUE(parse_video_uri(live).value().live) << live;
  }
  for (const char* file :
       {"a.mp4", "test:bars", "http://h/day.mp4", "https://h:80/a/b.MKV?key=1#t", "http://h/list.m3u8"}) {
    EXPECT_FALSE(parse_video_uri(file).value().live) << file;
  }
}

TEST(VideoUri, NamesWhatIsAllowed) {
  EXPECT_THAT(parse_video_uri("test:bar").status().message(), HasSubstr("test:bars, test:noise, test:clock"));
  EXPECT_EQ(parse_video_uri("test:bar").status().code(), Code::kInvalid);
  EXPECT_EQ(parse_video_uri("").status().code(), Code::kInvalid);
  EXPECT_EQ(parse_video_uri("v4l2:/dev/video0").status().code(), Code::kUnavailable);
  const std::string unknown = parse_video_uri("ftp://ann:secret@h/x").status().message();
  EXPECT_THAT(unknown, AllOf(HasSubstr("unknown scheme 'ftp:'"), HasSubstr("ann:***@h")));
  EXPECT_EQ(unknown.find("secret"), std::string::npos);
}

TEST(PictureName, Expands) {
  const Result<PictureName> name = PictureName::parse("out/{source}/{frame}.png");
  ASSERT_TRUE(name.ok());
  std::string path;
  name->expand("cam", 42, path);
  EXPECT_EQ(path, "out/cam/000042.png");
  EXPECT_TRUE(name->png());
  name->expand("cam", 12345678, path);
  EXPECT_EQ(path, "out/cam/12345678.png");
}

TEST(PictureName, AFolderHasItsOwnPattern) {
  EXPECT_EQ(PictureName::parse("out/")->pattern(), "out/{source}_{frame}.jpg");
  const std::string folder = scratch_folder().string();
  EXPECT_EQ(PictureName::parse(folder)->pattern(), folder + "/{source}_{frame}.jpg");
}

TEST(PictureName, RefusesOthers) {
  EXPECT_THAT(PictureName::parse("x.gif").status().message(), HasSubstr(".jpg, .jpeg or .png"));
  EXPECT_THAT(PictureName::parse("{frma}.jpg").status().message(),
              HasSubstr("'{frma}' is unknown, allowed: {frame}, {source}"));
}

TEST(VideoNodes, AreRegisteredOnceWithEveryOptionOfTheContract) {
  Registry registry;
  ASSERT_TRUE(register_video_nodes(registry).ok());
  EXPECT_FALSE(register_video_nodes(registry).ok());
  const NodeDeclaration* source = registry.find("video_source");
  ASSERT_NE(source, nullptr);
  std::vector<std::string> names;
  for (const OptionDeclaration& option : source->options) {
    names.push_back(option.name);
    EXPECT_FALSE(option.doc.empty()) << option.name;
  }
  EXPECT_THAT(names, ::testing::ElementsAre("uri", "pace", "loop", "timeout_ms", "reconnect", "width",
                                            "height", "fps", "max_width", "max_height"));
  EXPECT_TRUE(source->source);
  EXPECT_TRUE(source->outputs.front().read_only);
  for (const char* sink : {"video_sink", "image_sink"}) EXPECT_TRUE(registry.find(sink)->sink) << sink;
}

Status types_of(const NodeDeclaration& declaration, OptionMap written) {
  FakeTypes types(options_of(declaration, std::move(written)));
  return testing::types_of(declaration, types).status();
}

TEST(VideoNodes, WrongAddressesAndPathsAreFoundBeforeAnythingOpens) {
  EXPECT_TRUE(types_of(video_source_declaration(), {{"uri", text("x.mp4")}}).ok());
  EXPECT_EQ(types_of(video_source_declaration(), {{"uri", text("test:x")}}).code(), Code::kInvalid);
  EXPECT_TRUE(types_of(video_sink_declaration(), {{"path", text("x.mkv")}}).ok());
  EXPECT_THAT(types_of(video_sink_declaration(), {{"path", text("x.mov")}}).message(),
              HasSubstr(".mp4, .mkv or .avi"));
  EXPECT_TRUE(types_of(image_sink_declaration(), {{"path", text("{frame}.png")}}).ok());
  EXPECT_THAT(types_of(image_sink_declaration(), {{"path", text("x.png")}}).message(),
              HasSubstr("add {frame}"));
  EXPECT_TRUE(types_of(image_sink_declaration(), {{"path", text("x.png")}, {"overwrite", flag(true)}}).ok());
}

TEST(ModuleLoader, SaysWhichFileIsMissing) {
  const Status missing = create_from_module("nothing", "make").status();
  EXPECT_EQ(missing.code(), Code::kUnavailable);
  EXPECT_THAT(missing.message(), HasSubstr("sluice/sluice_nothing.so"));
  const Status no_factory = create_from_module("video", "make_nothing").status();
  EXPECT_EQ(no_factory.code(), Code::kUnavailable);
  EXPECT_THAT(no_factory.message(), AllOf(HasSubstr("make_nothing"), HasSubstr("another version")));
}

}  // namespace
}  // namespace sluice
