#include "tools/sluice/out_of_memory.h"

#include <gtest/gtest.h>

#include <csignal>
#include <exception>
#include <new>
#include <stdexcept>

namespace sluice::cli {
namespace {

// NOLINTNEXTLINE(bugprone-exception-escape): what the test is about
void call_where_nobody_may_throw(void (*function)()) noexcept {
  end_in_words_without_memory();
  function();
}

TEST(OutOfMemory, WhereNobodyCanCatchItEndsInWords) {
  EXPECT_EXIT(call_where_nobody_may_throw([] { throw std::bad_alloc(); }), ::testing::ExitedWithCode(1),
              "^sluice: error: out of memory, inside a library that cannot go on without it; the "
              "program ends here\n$");
}

// As an exception that begins to unwind and meets such a function then: nothing is current any more.
TEST(OutOfMemory, AFailedAllocationIsEnoughToTell) {
  const auto fail_and_end = [] {
    end_in_words_without_memory();
    EXPECT_THROW(std::get_new_handler()(), std::bad_alloc);
    std::terminate();
  };
  EXPECT_EXIT(fail_and_end(), ::testing::ExitedWithCode(1), "^sluice: error: out of memory");
}

TEST(OutOfMemory, AnyOtherExceptionAborts) {
  EXPECT_EXIT(call_where_nobody_may_throw([] { throw std::runtime_error("another"); }),
              ::testing::KilledBySignal(SIGABRT), "another");
}

}  // namespace
}  // namespace sluice::cli
