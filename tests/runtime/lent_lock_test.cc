#include "runtime/lent_lock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace sluice {
namespace {

// Two numbers that are the same between two steps of whoever writes them.
struct Written {
  LentLock lock;
  std::uint64_t one = 0, other = 0;
  std::atomic<bool> over{false};

  void step() {
    ++one;
    ++other;
    lock.lend();
  }
};

TEST(LentLock, ReadersComeInBetweenTheStepsOfOneThatNeverPauses) {
  Written written;
  std::thread worker([&] {
    const LentLock::Working work(written.lock);
    while (!written.over) written.step();
  });
  std::vector<std::thread> readers;
  readers.reserve(2);
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      for (int n = 0; n < 200; ++n) {
        const LentLock::Reading reading(written.lock);
        EXPECT_EQ(written.one, written.other);
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  written.over = true;
  worker.join();
}

TEST(LentLock, TheWorkerReadsTooAndWaitsForAReaderWhileItRests) {
  Written written;
  const LentLock::Working work(written.lock);
  written.step();
  {
    const LentLock::Reading own(written.lock);
    EXPECT_EQ(written.one, 1U);
  }
  std::uint64_t seen = 0;
  {
    const LentLock::Resting rest(written.lock);
    std::thread reader([&] {
      const LentLock::Reading reading(written.lock);
      seen = written.one;
    });
    reader.join();
  }
  written.step();
  EXPECT_EQ(seen, 1U);
}

}  // namespace
}  // namespace sluice
