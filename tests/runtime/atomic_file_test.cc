#include "runtime/atomic_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/runtime/file_limit.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

class AtomicFile : public ::testing::Test {
 protected:
  AtomicFile() : folder_(fs::path(::testing::TempDir()) / ("atomic_file_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~AtomicFile() override { fs::remove_all(folder_); }

  std::string at(const char* name) const { return (folder_ / name).string(); }
  static std::string read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

TEST_F(AtomicFile, WritesANewFile) {
  ASSERT_TRUE(replace_file(at("a"), std::string("x\0y\n", 4)).ok());
  EXPECT_EQ(read(at("a")), std::string("x\0y\n", 4));
  EXPECT_EQ(entries(), 1u);
}

TEST_F(AtomicFile, ReplacesTheWholeFile) {
  ASSERT_TRUE(replace_file(at("a"), "a long text").ok());
  ASSERT_TRUE(replace_file(at("a"), "b").ok());
  EXPECT_EQ(read(at("a")), "b");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(AtomicFile, AReaderKeepsTheOldFile) {
  ASSERT_TRUE(replace_file(at("a"), "old").ok());
  std::ifstream reader(at("a"));
  ASSERT_TRUE(replace_file(at("a"), "new").ok());
  std::string text;
  reader >> text;
  EXPECT_EQ(text, "old");
}

TEST_F(AtomicFile, Permissions) {
  const mode_t before = ::umask(027);
  ASSERT_TRUE(replace_file(at("a"), "x").ok());
  ::umask(before);
  struct stat info{};
  ASSERT_EQ(::stat(at("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
  ASSERT_EQ(::chmod(at("a").c_str(), 0604), 0);
  ASSERT_TRUE(replace_file(at("a"), "y").ok());
  ASSERT_EQ(::stat(at("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0604u);
}

TEST_F(AtomicFile, FollowsASymbolicLink) {
  fs::create_directory(folder_ / "sub");
  ASSERT_TRUE(replace_file(at("sub/target"), "x").ok());
  fs::create_symlink("sub/target", folder_ / "link");
  ASSERT_TRUE(replace_file(at("link"), "y").ok());
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_EQ(read(at("sub/target")), "y");
}

TEST_F(AtomicFile, ANameMayBeAsLongAsTheSystemAllows) {
  const std::string longest(255, 'n');
  EXPECT_TRUE(check_replaceable(at(longest.c_str())).ok());
  ASSERT_TRUE(replace_file(at(longest.c_str()), "x").ok());
  ASSERT_TRUE(replace_file(at(longest.c_str()), "y").ok());
  EXPECT_EQ(read(at(longest.c_str())), "y");
  EXPECT_EQ(entries(), 1u);
  EXPECT_THAT(check_replaceable(at((longest + "n").c_str())).message(),
              ::testing::EndsWith("cannot be written: File name too long"));
}

TEST_F(AtomicFile, MissingFolder) {
  const Status status = replace_file(at("none/a"), "x");
  EXPECT_EQ(status.code(), Code::kFailed);
  EXPECT_THAT(status.message(), ::testing::EndsWith("none/a' cannot be written: No such file or directory"));
}

// Found before the work whose result goes there, not after it.
TEST_F(AtomicFile, ANameThatCannotBeLookedUp) {
  fs::create_symlink("b", folder_ / "a");
  fs::create_symlink("a", folder_ / "b");
  EXPECT_THAT(check_replaceable(at("a")).message(),
              ::testing::EndsWith("a' cannot be written: Too many levels of symbolic links"));
  EXPECT_TRUE(fs::is_symlink(folder_ / "a"));
  const std::string longest(255, 'n');
  EXPECT_THAT(check_replaceable((folder_ / (longest + "n")).string()).message(),
              ::testing::EndsWith("cannot be written: File name too long"));
  ASSERT_TRUE(replace_file((folder_ / longest).string(), "x").ok());
  EXPECT_EQ(read((folder_ / longest).string()), "x");
}

TEST_F(AtomicFile, AFolderIsNoFile) {
  EXPECT_THAT(replace_file(folder_.string(), "x").message(),
              ::testing::EndsWith("cannot be written: Is a directory"));
}

TEST_F(AtomicFile, DevicesAreWrittenInPlace) {
  EXPECT_EQ(replace_file("/dev/full", "x").message(),
            "'/dev/full' cannot be written: No space left on device");
  EXPECT_TRUE(replace_file("/dev/null", "x").ok());
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

TEST_F(AtomicFile, APipeThatNobodyReadsIsNotWaitedFor) {
  const std::string pipe = at("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const Status status = replace_file(pipe, "x");
  EXPECT_EQ(status.code(), Code::kFailed);
  EXPECT_THAT(status.message(),
              ::testing::HasSubstr("/pipe' cannot be written: it is a pipe that nobody reads"));
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  EXPECT_TRUE(replace_file(pipe, "x").ok());
  char read = 0;
  EXPECT_EQ(::read(reader, &read, 1), 1);
  EXPECT_EQ(read, 'x');
  ::close(reader);
}

TEST_F(AtomicFile, AFailedWriteLeavesTheOldFileAndNothingElse) {
  ASSERT_TRUE(replace_file(at("a"), "old").ok());
  const Status status = [this] {
    const sluice::testing::FileLimit full(1000);
    return replace_file(at("a"), std::string(5000, 'x'));
  }();
  EXPECT_THAT(status.message(), ::testing::EndsWith("cannot be written: File too large"));
  EXPECT_EQ(read(at("a")), "old");
  EXPECT_EQ(entries(), 1u);
}

// Whatever ends the process, nothing of an unfinished file stays.
TEST_F(AtomicFile, WhileItIsWrittenItHasNoName) {
  const int unnamed = ::open(folder_.c_str(), O_TMPFILE | O_WRONLY, 0600);
  if (unnamed < 0) GTEST_SKIP() << "this file system has no files without a name";
  ::close(unnamed);
  ASSERT_TRUE(replace_file(at("a"), "old").ok());
  auto file = FileReplacement::open(at("a"));
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file->write("half of").ok());
  EXPECT_EQ(entries(), 1u);
  EXPECT_EQ(read(at("a")), "old");
  ASSERT_TRUE(file->write(" it").ok());
  ASSERT_TRUE(file->commit().ok());
  EXPECT_EQ(read(at("a")), "half of it");
  EXPECT_EQ(entries(), 1u);
}

#if defined(__x86_64__)
// What a file system without them answers.
void refuse_unnamed_files() {
  constexpr auto flags_at = static_cast<std::uint32_t>(offsetof(seccomp_data, args[2]));
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offsetof(seccomp_data, nr))),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, flags_at),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_TMPFILE & ~O_DIRECTORY, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter = {std::size(program), program};
  ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

using AtomicFileDeathTest = AtomicFile;

TEST_F(AtomicFileDeathTest, WhereNoFileIsWithoutANameItHasOneBeside) {
  ASSERT_TRUE(replace_file(at("a"), "old").ok());
  EXPECT_EXIT(
      {
        refuse_unnamed_files();
        const std::string longest(255, 'n');
        if (!replace_file(at(longest.c_str()), "x").ok()) ::_exit(2);
        fs::remove(at(longest.c_str()));
        auto file = FileReplacement::open(at("a"));
        const bool named = file.ok() && file->write("new").ok() && entries() == 2;
        {
          auto dropped = FileReplacement::open(at("b"));
        }
        ::_exit(named && entries() == 2 && file->commit().ok() && entries() == 1 ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
  EXPECT_EQ(read(at("a")), "new");
}
#endif

}  // namespace
}  // namespace sluice
