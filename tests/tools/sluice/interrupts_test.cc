#include "tools/sluice/interrupts.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>

namespace sluice::cli {
namespace {

// A clock on which a second lies between any two signals.
std::function<TimeNs()> apart() {
  return [now = TimeNs{0}]() mutable { return now += from_s(1); };
}
// One on which no time passes.
TimeNs together() { return 0; }

TEST(Interrupts, TheFirstSignalRunsTheActionOnce) {
  Interrupts interrupts;
  std::promise<void> called;
  interrupts.on_first([&] { called.set_value(); });
  EXPECT_FALSE(interrupts.interrupted());
  ::kill(::getpid(), SIGTERM);
  called.get_future().wait();
  EXPECT_TRUE(interrupts.interrupted());
}

TEST(Interrupts, ASignalThatCameBeforeIsNotLost) {
  Interrupts interrupts;
  std::promise<void> seen;
  interrupts.on_first([&] { seen.set_value(); });
  ::kill(::getpid(), SIGINT);
  seen.get_future().wait();
  bool called = false;
  interrupts.on_first([&] { called = true; });
  EXPECT_TRUE(called);
}

TEST(InterruptsDeathTest, TheSecondSignalEndsWith130) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        Interrupts interrupts(apart());
        std::promise<void> first;
        interrupts.on_first([&] { first.set_value(); });
        ::kill(::getpid(), SIGINT);
        first.get_future().wait();
        ::kill(::getpid(), SIGINT);
        std::promise<void>().get_future().wait();
      },
      ::testing::ExitedWithCode(130), "");
}

// As when `timeout` interrupts it, or a script that passes on what the terminal told it too.
TEST(Interrupts, TheSameInterruptAgainIsNoSecondOne) {
  Interrupts interrupts(together);
  std::promise<void> first;
  interrupts.on_first([&] { first.set_value(); });
  ::kill(::getpid(), SIGINT);
  first.get_future().wait();
  for (const int again : {SIGINT, SIGTERM}) {
    ::kill(::getpid(), again);
    sigset_t waiting;
    do ::sigpending(&waiting);
    while (::sigismember(&waiting, again) == 1);
  }
  interrupts.on_first({});  // it has dealt with what it took, or does in its destructor
  EXPECT_TRUE(interrupts.interrupted());
}

// A terminal that closes tells its programs through the kernel and through the shell.
TEST(InterruptsDeathTest, AnotherHangupDoesNotEndIt) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        ::signal(SIGHUP, SIG_DFL);  // under nohup the test's own is ignored
        Interrupts interrupts(apart());
        std::promise<void> first;
        interrupts.on_first([&] { first.set_value(); });
        ::kill(::getpid(), SIGHUP);
        first.get_future().wait();
        ::kill(::getpid(), SIGHUP);
        interrupts.on_first({});
        std::fputs("drained, ", stderr);
        ::kill(::getpid(), SIGTERM);
        std::promise<void>().get_future().wait();
      },
      ::testing::ExitedWithCode(130), "drained, ");
}

TEST(InterruptsDeathTest, AHangupThatIsIgnoredStaysSo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        ::signal(SIGHUP, SIG_IGN);
        Interrupts interrupts;
        ::kill(::getpid(), SIGHUP);
        ::kill(::getpid(), SIGTERM);
        std::promise<void> first;
        interrupts.on_first([&] { first.set_value(); });
        first.get_future().wait();
        std::_Exit(7);
      },
      ::testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace sluice::cli
