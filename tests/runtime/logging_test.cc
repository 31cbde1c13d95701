#include "runtime/logging.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class LoggingFile : public ::testing::Test {
 public:
  ~LoggingFile() override { std::filesystem::remove(path_); }

 protected:
  std::string text() const {
    std::ostringstream out;
    out << std::ifstream(path_).rdbuf();
    return out.str();
  }
  std::size_t lines() const {
    const std::string all = text();
    return static_cast<std::size_t>(std::count(all.begin(), all.end(), '\n'));
  }
  const std::string path_ = ::testing::TempDir() + "/logging_" + std::to_string(::getpid());
};

TEST_F(LoggingFile, WritesFromItsLevelUpWithoutPasswords) {
  {
    const auto logging = Logging::start({LogLevel::kWarning, path_});
    ASSERT_TRUE(logging.ok());
    log_message(LogLevel::kInfo, "too quiet");
    log_message(LogLevel::kWarning, "rtsp://ann:secret@cam/1 is gone");
  }
  EXPECT_THAT(text(), HasSubstr("warning: rtsp://ann:***@cam/1 is gone\n"));
  EXPECT_THAT(text(), Not(HasSubstr("too quiet")));
}

TEST_F(LoggingFile, CloseTellsWhatTheFileDidNotTake) {
  auto full = Logging::start({LogLevel::kWarning, "/dev/full"});
  ASSERT_TRUE(full.ok());
  EXPECT_TRUE((*full)->close().ok()) << "nothing was to be written";
  const auto again = Logging::start({LogLevel::kWarning, "/dev/full"});
  ASSERT_TRUE(again.ok());
  full->reset();  // does not end the other
  log_message(LogLevel::kWarning, "lost");
  const Status closed = (*again)->close();
  EXPECT_EQ(closed.code(), Code::kFailed);
  EXPECT_THAT(closed.message(), HasSubstr("the log file '/dev/full' could not take all messages: "));
  EXPECT_TRUE((*again)->close().ok()) << "it is closed";
}

TEST_F(LoggingFile, AFloodIsCutAndCounted) {
  {
    const auto logging = Logging::start({LogLevel::kInfo, path_});
    ASSERT_TRUE(logging.ok());
    for (int i = 0; i < 500; ++i) log_message(LogLevel::kInfo, "again");
  }
  EXPECT_GE(lines(), 20u);
  EXPECT_LE(lines(), 60u);  // the flood may have met the start of another second
  std::istringstream all(text());
  std::uint64_t written = 0, left_out = 0;
  for (std::string line; std::getline(all, line);) {
    const std::size_t number = line.rfind(": ") + 2;
    if (line.ends_with("again")) ++written;
    if (line.ends_with("more messages like these were left out"))
      left_out += std::stoull(line.substr(number));
  }
  EXPECT_EQ(written + left_out, 500U) << text();
}

// Stderr for as long as it lives: a pipe that is full, so that whoever writes waits until somebody reads.
class BlockedStderr {
 public:
  BlockedStderr() : kept_(::dup(STDERR_FILENO)) {
    EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0);
    const int flags = ::fcntl(ends_[1], F_GETFL);
    ::fcntl(ends_[1], F_SETFL, flags | O_NONBLOCK);
    const std::string page(4096, '.');
    while (::write(ends_[1], page.data(), page.size()) > 0) {
    }
    ::fcntl(ends_[1], F_SETFL, flags);
    ::dup2(ends_[1], STDERR_FILENO);
    ::close(ends_[1]);
  }
  ~BlockedStderr() {
    ::close(ends_[0]);
    ::close(kept_);
  }
  BlockedStderr(const BlockedStderr&) = delete;
  void restore() { ::dup2(kept_, STDERR_FILENO); }
  // What is written, until nobody has the other end any more.
  std::string read_all() const {
    std::string out;
    std::array<char, 4096> part{};
    for (ssize_t n = 0; (n = ::read(ends_[0], part.data(), part.size())) > 0;)
      out.append(part.data(), static_cast<std::size_t>(n));
    return out;
  }

 private:
  const int kept_;
  std::array<int, 2> ends_{};
};

// A terminal that is stopped, a `less` that is not scrolled: who logs goes on, and what was lost is counted.
TEST(Logging, ABlockedStderrHoldsNobodyUp) {
  constexpr int kLines = 18;  // fewer than a second may have
  BlockedStderr stderr_now;
  std::future<std::string> read;
  {
    const auto logging = Logging::start({.level = LogLevel::kInfo, .file = {}, .queue = 4});
    ASSERT_TRUE(logging.ok());
    for (int i = 0; i < kLines; ++i) log_message(LogLevel::kInfo, "line of a log");
    read = std::async(std::launch::async, [&] { return stderr_now.read_all(); });
  }
  stderr_now.restore();
  const std::string text = read.get();
  int written = 0;
  for (std::size_t at = 0; (at = text.find("line of a log", at)) != std::string::npos; ++at) ++written;
  EXPECT_LE(written, 1 + 4) << "one being written, four that waited";
  EXPECT_THAT(text, HasSubstr(std::to_string(kLines - written) +
                              " messages were lost: the log was not written fast enough\n"));
}

TEST_F(LoggingFile, MessagesAfterwardsGoNowhere) {
  {
    const auto logging = Logging::start({LogLevel::kInfo, path_});
  }
  log_message(LogLevel::kError, "late");
  EXPECT_THAT(text(), Not(HasSubstr("late")));
}

TEST(Logging, AFileThatCannotBeOpened) {
  const auto logging = Logging::start({LogLevel::kInfo, "/proc/none/log"});
  ASSERT_FALSE(logging.ok());
  EXPECT_THAT(logging.status().message(), HasSubstr("the log file '/proc/none/log' cannot be opened"));
}

TEST_F(LoggingFile, APipeThatNobodyReadsIsNotWaitedFor) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  const auto logging = Logging::start({LogLevel::kInfo, path_});
  EXPECT_THAT(logging.status().message(), HasSubstr("' cannot be written: it is a pipe that nobody reads"));
}

TEST_F(LoggingFile, AFolderThatIsMissingIsNotMade) {
  const auto logging = Logging::start({LogLevel::kInfo, path_ + "/deep/log"});
  ASSERT_FALSE(logging.ok());
  EXPECT_THAT(logging.status().message(), HasSubstr("/deep/log' cannot be opened: there is no folder '" +
                                                    path_ + "/deep'; make it first"));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST(Logging, Levels) {
  EXPECT_EQ(parse_log_level("warning"), LogLevel::kWarning);
  EXPECT_FALSE(parse_log_level("loud"));
}

}  // namespace
}  // namespace sluice
