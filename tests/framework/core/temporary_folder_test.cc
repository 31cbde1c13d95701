#include "framework/core/temporary_folder.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

namespace sluice {
namespace {

namespace fs = std::filesystem;

// In a folder of its own, which is also the one for temporary files.
class TemporaryFolders : public ::testing::Test {
 public:
  TemporaryFolders() : root_(fs::path(::testing::TempDir()) / ("temporary_" + std::to_string(::getpid()))) {
    fs::create_directories(root_);
    if (const char* before = std::getenv("TMPDIR")) before_ = before;
    ::setenv("TMPDIR", root_.c_str(), 1);
  }
  ~TemporaryFolders() override {
    before_ ? ::setenv("TMPDIR", before_->c_str(), 1) : ::unsetenv("TMPDIR");
    fs::remove_all(root_);
  }

 protected:
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(root_), fs::directory_iterator()));
  }
  // A child process that makes folders, writes into them and ends as `end` wants.
  template <typename End>
  static int in_child(const End& end) {
    const pid_t child = ::fork();
    if (child == 0) {
      const auto context = TemporaryFolder::make("context");
      if (!context.ok()) ::_exit(99);
      std::ofstream(context->path() + "/part") << "half of it";
      end();
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return status;
  }

  const fs::path root_;
  std::optional<std::string> before_;
};

TEST_F(TemporaryFolders, GoWithTheirObject) {
  {
    const auto folder = TemporaryFolder::make("test");
    ASSERT_TRUE(folder.ok()) << folder.status().message();
    EXPECT_TRUE(fs::path(folder->path()).filename().string().starts_with("sluice-test-"));
    std::ofstream(folder->path() + "/file") << "x";
    fs::create_directory(folder->path() + "/more");
  }
  EXPECT_EQ(entries(), 0u);
}

TEST_F(TemporaryFolders, AreKeptAsResults) {
  {
    auto folder = TemporaryFolder::make_beside((root_ / "result").string());
    ASSERT_TRUE(folder.ok()) << folder.status().message();
    EXPECT_TRUE(fs::path(folder->path()).filename().string().starts_with(".result.sluice-"));
    fs::rename(folder->path(), root_ / "result");
    folder->keep();
  }
  EXPECT_TRUE(fs::is_directory(root_ / "result"));
  EXPECT_EQ(entries(), 1u);
}

TEST_F(TemporaryFolders, EndingTheProcessAtOnceLeavesNone) {
  const int status = in_child([] { end_without_temporaries(7); });
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_EQ(entries(), 0u);
}

// The signal that ends a command comes while another thread works in the folder, or makes it its result.
TEST_F(TemporaryFolders, EndingTheProcessAtOnceLeavesNoneOfWhatOthersAreMaking) {
  const fs::path result = root_ / "result";
  int results = 0;
  for (int round = 0; round < 84; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto folder = TemporaryFolder::make_beside(result.string());
      if (!folder.ok()) ::_exit(99);
      std::atomic<int> made = 0;
      std::thread maker([&] {
        constexpr int kFiles = 20;
        for (int i = 0; i < kFiles; ++i, ++made)
          std::ofstream(folder->path() + "/" + std::to_string(i)) << "part " << i;
        std::error_code taken_away;
        fs::rename(folder->path(), result, taken_away);
        folder->keep();
        for (;;) ::pause();
      });
      while (made < round % 21) std::this_thread::yield();
      end_without_temporaries(7);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(WEXITSTATUS(status), 7) << "an error of the other thread";
    ASSERT_EQ(entries(), fs::exists(result) ? 1u : 0u) << "round " << round;
    if (!fs::exists(result)) continue;
    ++results;
    ASSERT_EQ(std::distance(fs::directory_iterator(result), fs::directory_iterator()), 20)
        << "half of a result in round " << round;
    fs::remove_all(result);
  }
  RecordProperty("results", results);
}

TEST_F(TemporaryFolders, EndingTheProcessAtOnceLeavesNoneThatOthersMakeAgain) {
  for (int round = 0; round < 40; ++round) {
    const int status = in_child([] {
      const auto context = TemporaryFolder::make("parts");
      std::atomic<int> made = 0;
      std::thread maker([&] {
        for (;; ++made)
          static_cast<void>(make_folders(context->path() + "/" + std::to_string(made % 7) + "/part"));
      });
      while (made < 10) std::this_thread::yield();
      end_without_temporaries(7);
    });
    ASSERT_EQ(WEXITSTATUS(status), 7);
    ASSERT_EQ(entries(), 0u) << "round " << round;
  }
}

TEST_F(TemporaryFolders, TheNextOneRemovesThoseOfKilledProcesses) {
  const int status = in_child([] { ::raise(SIGKILL); });
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_EQ(entries(), 1u);
  const auto other = TemporaryFolder::make("profile");
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(entries(), 2u) << "of another kind";
  const auto next = TemporaryFolder::make("context");
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(entries(), 2u);
}

TEST_F(TemporaryFolders, TheNextOneLeavesThoseOfOthersThatLive) {
  const auto first = TemporaryFolder::make("context"), second = TemporaryFolder::make("context");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_TRUE(fs::is_directory(first->path()));
  // What only looks alike is nobody's leftover.
  std::ofstream(root_ / "sluice-context-notone") << "x";
  fs::create_directory(root_ / "sluice-context-longer-name");
  fs::create_directory_symlink(second->path(), root_ / "sluice-context-linked");
  const auto third = TemporaryFolder::make("context");
  ASSERT_TRUE(third.ok());
  EXPECT_EQ(entries(), 6u);
}

// Whoever looks for leftovers meets folders that another process has made and not opened yet.
TEST_F(TemporaryFolders, AreThereWhenTheyAreGivenOutHoweverManyAreMadeAtOnce) {
  std::vector<pid_t> children;
  for (int c = 0; c < 4; ++c) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    int gone = 0;
    for (int i = 0; i < 1000; ++i) {
      const auto folder = TemporaryFolder::make("race");
      gone += !folder.ok() || !fs::is_directory(folder->path());
    }
    ::_exit(gone == 0 ? 0 : 1);
  }
  for (const pid_t child : children) {
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
}

TEST_F(TemporaryFolders, WithoutAPlaceTheReasonIsSaid) {
  ::setenv("TMPDIR", (root_ / "none").c_str(), 1);
  const auto folder = TemporaryFolder::make("test");
  EXPECT_EQ(folder.status().code(), Code::kFailed);
  EXPECT_TRUE(folder.status().message().starts_with("no temporary folder can be made: "));
}

}  // namespace
}  // namespace sluice
