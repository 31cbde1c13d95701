// Pools whose memory somebody else lends.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <vector>

#include "framework/core/memory_source.h"

namespace sluice {
namespace {

// Lends at most `left` allocations and knows which are out.
struct CountedSource final : MemorySource {
  explicit CountedSource(int most, bool* destroyed = nullptr) : left(most), gone(destroyed) {}
  ~CountedSource() override {
    EXPECT_TRUE(out.empty());
    if (gone) *gone = true;
  }
  MemoryKind kind() const override { return MemoryKind::kShared; }
  std::byte* allocate(std::size_t bytes) override {
    if (left-- <= 0) return nullptr;
    sizes.push_back(bytes);
    return *out.insert(static_cast<std::byte*>(std::aligned_alloc(64, bytes))).first;
  }
  void free(std::byte* data, std::size_t bytes) override {
    EXPECT_EQ(out.erase(data), 1u);
    EXPECT_EQ(bytes, sizes.front());
    std::free(data);
  }
  int left;
  bool* gone;
  std::set<std::byte*> out;
  std::vector<std::size_t> sizes;
};

TEST(MemorySource, EachBufferIsAnAllocationOfItsOwn) {
  auto source = std::make_shared<CountedSource>(10);
  auto pool = BufferPool::create("p", 100, 3, source);
  ASSERT_TRUE(pool.ok()) << pool.status().message();
  EXPECT_EQ((*pool)->kind(), MemoryKind::kShared);
  EXPECT_EQ((*pool)->bytes_each(), 100u);
  EXPECT_EQ(source->sizes, (std::vector<std::size_t>{128, 128, 128}));
  std::vector<BufferRef> buffers;
  while (BufferRef buffer = (*pool)->acquire()) {
    EXPECT_TRUE(source->out.contains(buffer.data()));
    EXPECT_EQ(buffer.data()[99], std::byte{0});
    buffers.push_back(std::move(buffer));
  }
  EXPECT_EQ(buffers.size(), 3u);
  buffers.clear();
  pool->reset();
  EXPECT_TRUE(source->out.empty());
}

TEST(MemorySource, GoesWithTheLastBufferOfAPool) {
  bool gone = false;
  auto pool = BufferPool::create("p", 64, 2, std::make_shared<CountedSource>(2, &gone));
  ASSERT_TRUE(pool.ok());
  BufferRef last = (*pool)->acquire();
  pool->reset();
  EXPECT_FALSE(gone);
  last.data()[0] = std::byte{1};
  last.reset();
  EXPECT_TRUE(gone);
}

TEST(MemorySource, WhatItCannotLendIsAnErrorAndNothingIsKept) {
  auto source = std::make_shared<CountedSource>(2);
  const auto pool = BufferPool::create("pre.out", 1000, 3, source);
  ASSERT_FALSE(pool.ok());
  EXPECT_EQ(pool.status().code(), Code::kFailed);
  EXPECT_EQ(pool.status().message(), "pool 'pre.out': no shared memory for 3 buffers of 1000 bytes");
  EXPECT_TRUE(source->out.empty());
  EXPECT_EQ(source.use_count(), 1);
}

TEST(MemorySource, TheNextPoolHasMemoryOfTheProcessAgain) {
  auto source = std::make_shared<CountedSource>(1);
  ASSERT_TRUE(BufferPool::create("p", 8, 1, source).ok());
  const auto own = BufferPool::create("own", 8, 1);
  ASSERT_TRUE(own.ok());
  EXPECT_EQ((*own)->kind(), MemoryKind::kHost);
  EXPECT_EQ(source->sizes.size(), 1u);
}

}  // namespace
}  // namespace sluice
