// Decoders that paint each picture over the one before leave those alone that the graph still has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "nodes/video_nodes.h"
#include "tests/nodes/fake_source.h"
#include "tests/nodes/video/media.h"

namespace sluice {
namespace {

using namespace sluice::testing;

constexpr std::size_t kPictures = 25;
constexpr const char* kPattern = "-f lavfi -i testsrc2=s=160x96:r=25:d=1 ";

FakeSource open_video(const std::string& path, std::size_t downstream) {
  return FakeSource(video_source_declaration(), {{"uri", text(path)}}, downstream);
}

TEST(RepaintingCodecs, PicturesThatAreKeptStayAsTheyWere) {
  const struct {
    const char* name;
    const char* codec;
    const char* raw;
  } cases[] = {{"runs.mov", "-pix_fmt rgb24 -c:v qtrle", "rgb24"},
               {"screen.flv", "-c:v flashsv", "bgr24"},
               {"cinepak.avi", "-c:v cinepak", "rgb24"}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const std::string path = make_media(c.name, std::string(kPattern) + c.codec);
    FakeSource source = open_video(path, kPictures + 1);
    ASSERT_TRUE(source.probe().ok());
    std::vector<Capture> kept;
    EXPECT_EQ(source.run([&](const Capture& capture) { kept.push_back(capture); }).code(),
              Code::kEndOfStream);
    std::vector<std::uint8_t> pixels;
    for (const Capture& capture : kept) append_packed(*capture.packet.get<Image>(), pixels);
    EXPECT_EQ(kept.size(), kPictures);
    EXPECT_TRUE(pixels ==
                ffmpeg_output("-i '" + path + "' -vsync passthrough -f rawvideo -pix_fmt " + c.raw));
  }
}

// The picture that had no buffer lies in the decoder's own memory, where it would go on painting.
TEST(RepaintingCodecs, GoOnAfterTheBuffersWereAllTaken) {
  const std::string path = make_media("runs.mov", std::string(kPattern) + "-pix_fmt rgb24 -c:v qtrle");
  FakeSource source = open_video(path, 1);
  ASSERT_TRUE(source.probe().ok());
  std::vector<BufferRef> taken;
  const auto next_without_buffers = [&] {
    constexpr std::size_t kBytes = 4096;
    for (Result<BufferRef> one = source.acquire_buffer(kBytes); one.ok(); one = source.acquire_buffer(kBytes))
      taken.push_back(*std::move(one));
    return source.next().status().code();
  };
  int pictures = 0;
  while (next_without_buffers() == Code::kOk) ASSERT_LT(++pictures, 10) << "what the decoder had in hand";
  EXPECT_EQ(next_without_buffers(), Code::kPoolEmpty);
  taken.clear();
  EXPECT_EQ(source.next().status().code(), Code::kOk);
  EXPECT_EQ(source.next().status().code(), Code::kOk);
}

}  // namespace
}  // namespace sluice
