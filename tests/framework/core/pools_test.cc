#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "framework/core/buffer.h"
#include "framework/core/packet.h"

namespace sluice {
namespace {

BufferPool::Ptr pool_of(std::size_t bytes, std::size_t buffers) {
  auto pool = BufferPool::create("test", bytes, buffers);
  EXPECT_TRUE(pool.ok());
  return std::move(*pool);
}

TEST(BufferPool, HasAtMostWhatItsListCanNumber) {
  EXPECT_FALSE(BufferPool::create("many", 1, kMostInPool + 1).ok());
  const auto pool = BufferPool::create("many", 1, kMostInPool);
  ASSERT_TRUE(pool.ok()) << pool.status().message();
  std::vector<BufferRef> all;
  while (BufferRef one = (*pool)->acquire()) all.push_back(std::move(one));
  EXPECT_EQ(all.size(), kMostInPool);
}

TEST(BufferPool, GivesAlignedBuffersUntilItIsEmpty) {
  auto pool = pool_of(100, 2);
  BufferRef a = pool->acquire();
  BufferRef b = pool->acquire();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(a.data()) % 64, 0u);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b.data()) % 64, 0u);
  EXPECT_FALSE(pool->acquire());
  EXPECT_EQ(pool->stats().exhausted, 1u);
  EXPECT_EQ(pool->stats().high_water, 2u);
  b.reset();
  EXPECT_TRUE(pool->acquire());
}

TEST(BufferPool, TellsOnceWhenSomethingCameBackAfterItWasEmpty) {
  auto pool = pool_of(8, 1);
  int told = 0;
  pool->on_available([&] { ++told; });
  {
    BufferRef a = pool->acquire();
  }
  EXPECT_EQ(told, 0);
  {
    BufferRef a = pool->acquire();
    EXPECT_FALSE(pool->acquire());
  }
  EXPECT_EQ(told, 1);
}

TEST(BufferPool, OutlivesItsOwnerUntilTheLastBufferIsBack) {
  auto pool = pool_of(8, 1);
  BufferRef a = pool->acquire();
  pool.reset();
  a.data()[0] = std::byte{1};
  a.reset();  // under ASan: frees the pool, no leak and no use after free
}

TEST(BufferPool, RefusesWhatCannotBeAddressed) {
  const auto pool = BufferPool::create("frames", SIZE_MAX / 2, 4);
  ASSERT_FALSE(pool.ok());
  EXPECT_EQ(pool.status().code(), Code::kFailed);
  EXPECT_NE(pool.status().message().find("pool 'frames'"), std::string::npos);
}

#ifndef NDEBUG
TEST(BufferPool, PoisonsWhatCameBack) {
  auto pool = pool_of(16, 1);
  BufferRef a = pool->acquire();
  a.data()[3] = std::byte{7};
  a.reset();
  a = pool->acquire();
  EXPECT_EQ(a.data()[3], std::byte{0xDB});
}
#endif

TEST(BufferRef, ForeignMemoryIsGivenBackOnce) {
  int freed = 0;
  std::byte memory[4];
  {
    BufferRef a = BufferRef::foreign(memory, [&] { ++freed; });
    BufferRef b = a;
    EXPECT_FALSE(a.unique());
    b.reset();
    EXPECT_TRUE(a.unique());
    EXPECT_EQ(freed, 0);
  }
  EXPECT_EQ(freed, 1);
}

TEST(PacketPool, RecyclesValuesAndKeepsTheirMemory) {
  auto pool = PacketPool::create("boxes", payload_type<Detections>(), 1);
  Packet p = pool->acquire({});
  p.edit<Detections>()->add().score = 1;
  p.reset();
  p = pool->acquire({});
  EXPECT_EQ(p.get<Detections>()->count, 0u);
  EXPECT_EQ(p.get<Detections>()->items.size(), 1u);
  EXPECT_EQ(p.get<Image>(), nullptr);
}

TEST(PacketPool, GivesTheBufferOfAValueBackWithTheLastHandle) {
  auto buffers = pool_of(8, 1);
  auto packets = PacketPool::create("tensors", payload_type<Tensor>(), 1);
  Packet p = packets->acquire({});
  p.edit<Tensor>()->buffer = buffers->acquire();
  Packet q = p;
  p.reset();
  EXPECT_EQ(buffers->stats().in_use, 1u);
  q.reset();
  EXPECT_EQ(buffers->stats().in_use, 0u);
}

TEST(PacketPool, ManyThreadsNeverShareAPacket) {
  auto pool = PacketPool::create("test", payload_type<Classes>(), 3);
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20000; ++i) {
        Packet p = pool->acquire({});
        if (!p) continue;
        auto* value = p.edit<Classes>();
        value->count = static_cast<std::size_t>(t);
        EXPECT_EQ(value->count, static_cast<std::size_t>(t));
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(pool->stats().in_use, 0u);
  EXPECT_LE(pool->stats().high_water, 3u);
}

}  // namespace
}  // namespace sluice
