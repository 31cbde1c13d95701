#include "framework/core/guarded.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <new>
#include <stdexcept>
#include <system_error>

namespace sluice {
namespace {

template <typename Exception>
std::string told(const Exception& exception) {
  return std::string(guarded([&]() -> Status { throw exception; }).message());
}

TEST(Guarded, TellsWhatWasThrown) {
  EXPECT_EQ(told(std::runtime_error("no such luck")), "threw an exception: no such luck");
  EXPECT_EQ(told(std::bad_alloc()), "out of memory");
  EXPECT_EQ(told(7), "threw something that is no std::exception");
  EXPECT_EQ(told(std::system_error(ENOENT, std::generic_category(), "open")),
            "threw an exception: open: No such file or directory");
}

TEST(Guarded, AThreadThatTheSystemDoesNotGiveIsSaidToBeOne) {
  EXPECT_EQ(told(std::system_error(EAGAIN, std::generic_category())),
            "the system gives no further thread: Resource temporarily unavailable");
}

TEST(Guarded, ReturnsWhatTheFunctionDoes) {
  EXPECT_TRUE(guarded([] { return Status{}; }).ok());
  EXPECT_EQ(guarded([]() -> Result<int> { return 3; }).value(), 3);
}

}  // namespace
}  // namespace sluice
