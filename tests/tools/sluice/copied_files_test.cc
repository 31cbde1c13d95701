#include "tools/sluice/copied_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "tests/inference/support.h"

namespace sluice::cli {
namespace {

using ::testing::EndsWith;
namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(CopiedFiles, AFileOfAnySizeArrivesWhole) {
  const testing::ScratchFolder folder;
  for (const std::size_t size : {0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1}) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + i / 251);
    folder.write("from", bytes);
    const Status copied = copy_files(folder / "from", folder / "new/folder/to");
    ASSERT_TRUE(copied.ok()) << copied.message();
    EXPECT_TRUE(text_of(folder / "new/folder/to") == bytes) << size;
  }
}

TEST(CopiedFiles, AFolderGoesWithAllThatIsInIt) {
  const testing::ScratchFolder folder;
  fs::create_directories(folder / "from/deep/deeper");
  fs::create_directories(folder / "from/empty");
  folder.write("from/a", "1");
  folder.write("from/deep/deeper/b", "2");
  folder.write("elsewhere", "3");
  fs::create_symlink(folder / "elsewhere", folder / "from/link");
  const Status copied = copy_files(folder / "from", folder / "to");
  ASSERT_TRUE(copied.ok()) << copied.message();
  EXPECT_EQ(text_of(folder / "to/a"), "1");
  EXPECT_EQ(text_of(folder / "to/deep/deeper/b"), "2");
  EXPECT_TRUE(fs::is_directory(folder / "to/empty"));
  EXPECT_FALSE(fs::is_symlink(folder / "to/link"));
  EXPECT_EQ(text_of(folder / "to/link"), "3");
}

TEST(CopiedFiles, BothPlacesAndTheReasonAreNamed) {
  const testing::ScratchFolder folder;
  const std::string deep = std::string(100, 'd') + "/from";
  fs::create_directories(folder / std::string(100, 'd'));
  const std::string from = folder.write(deep, "text");
  const Status full = copy_files(from, "/dev/full");
  EXPECT_EQ(full.code(), Code::kFailed);
  EXPECT_EQ(full.message(),
            "'" + from + "' cannot be copied: '/dev/full' cannot be written: No space left on device");
  EXPECT_EQ(copy_files(folder / "none", folder / "to").message(),
            "'" + (folder / "none") + "' cannot be read: No such file or directory");
  EXPECT_THAT(copy_files(from, folder / (deep + "/to")).message(),
              EndsWith("cannot be made: Not a directory"));
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(copy_files(folder / "pipe", folder / "to").message(),
              EndsWith("cannot be read: no regular file"));
  EXPECT_FALSE(fs::exists(folder / "to"));
}

}  // namespace
}  // namespace sluice::cli
