#include "framework/core/status.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

Result<int> half(int x) {
  if (x % 2 != 0) return invalid("odd");
  return x / 2;
}

Status twice(int x, int& out) {
  SLUICE_ASSIGN(const int once, half(x));
  SLUICE_ASSIGN(out, half(once));
  return {};
}

TEST(Status, ContextGoesInFrontOfFailuresOnly) {
  EXPECT_EQ(failed("no space").with_context("node 'out': ").message(), "node 'out': no space");
  EXPECT_TRUE(Status{}.with_context("node 'out': ").ok());
}

TEST(Result, ReturnsTheFirstFailure) {
  int out = 0;
  EXPECT_TRUE(twice(8, out).ok());
  EXPECT_EQ(out, 2);
  EXPECT_EQ(twice(6, out).message(), "odd");
  EXPECT_EQ(twice(6, out).code(), Code::kInvalid);
}

}  // namespace
}  // namespace sluice
