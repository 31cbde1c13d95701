#include "runtime/logging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class LoggingFile : public ::testing::Test {
 protected:
  ~LoggingFile() override { std::filesystem::remove(path_); }
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

TEST_F(LoggingFile, AFloodIsCutAndCounted) {
  {
    const auto logging = Logging::start({LogLevel::kInfo, path_});
    ASSERT_TRUE(logging.ok());
    for (int i = 0; i < 500; ++i) log_message(LogLevel::kInfo, "again");
  }
  EXPECT_GE(lines(), 20u);
  EXPECT_LE(lines(), 60u);  // the flood may have met the start of another second
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
