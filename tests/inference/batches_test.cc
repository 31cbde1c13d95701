// Runs of several callers gathered into batches.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "backends/cpu/cpu_backend.h"
#include "backends/fake/fake_backend.h"
#include "inference/checked_model.h"
#include "inference/lost_threads.h"
#include "inference/session_table.h"
#include "tests/inference/session_fixture.h"
#include "tests/inference/support.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using namespace sluice::testing;

class Batches : public Sessions {
 protected:
  // Runs `count` callers at once with inputs of their own; returns their outputs.
  std::vector<std::vector<float>> run_all(const SessionHandle& session, int count, std::size_t elements) {
    std::vector<std::unique_ptr<RunTensors>> runs;
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) {
      runs.push_back(std::make_unique<RunTensors>(session->signature()));
      std::vector<float> values(elements);
      for (std::size_t k = 0; k < elements; ++k)
        values[k] = static_cast<float>((k * 7 + static_cast<std::size_t>(i) * 13) % 100) / 50 - 1;
      runs.back()->inputs[0].set(values);
    }
    threads.reserve(runs.size());
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&session, &run = *runs[static_cast<std::size_t>(i)]] {
        const Status status = SharedSession::run(session, run.in, run.out);
        EXPECT_TRUE(status.ok()) << status.message();
      });
    }
    for (std::thread& thread : threads) thread.join();
    std::vector<std::vector<float>> out;
    out.reserve(runs.size());
    for (const auto& run : runs) out.push_back(run->outputs[0].values<float>());
    return out;
  }
};

TEST_F(Batches, GiveWhatSingleRunsGive) {
  SteadyClock clock;
  SessionTable table(clock);
  const auto cpu = make_cpu_backend();
  SessionRequest r = request();
  r.backend = "cpu";
  r.slots = 8;
  r.model = request_for(fetched_model("face_detection_front_128x128_batch.onnx"));
  SessionRequest batched = r;
  batched.batch = 4;
  batched.batch_wait_ms = 1000;  // four callers fill it long before
  const auto single = table.open(*cpu, r);
  ASSERT_TRUE(single.ok()) << single.status().message();
  EXPECT_TRUE((*single)->signature().symbolic_batch);
  constexpr std::size_t kElements = 128 * 128 * 3;
  const auto expected = run_all(*single, 4, kElements);
  SessionTable other(clock);
  const auto many = other.open(*cpu, batched);
  ASSERT_TRUE(many.ok()) << many.status().message();
  const auto got = run_all(*many, 4, kElements);
  for (std::size_t i = 0; i < got.size(); ++i)
    for (std::size_t k = 0; k < got[i].size(); ++k)
      ASSERT_NEAR(got[i][k], expected[i][k], 2e-4f) << i << " " << k;
}

TEST_F(Batches, AreCollectedAndPaddedWhereShapesAreStatic) {
  Probe probe;
  auto died = probe.died.get_future();
  SteadyClock clock;
  SessionTable table(clock);
  ProbeBackend backend(probe, RunKind::kCompute, 2, true);
  SessionRequest r = request({}, {"N", 8});
  r.batch = 4;
  r.batch_wait_ms = 1;
  auto session = table.open(backend, r).value();
  const auto out = run_all(session, 1, 8);
  EXPECT_EQ(backend.last->last_bytes.load(), 4 * 8 * sizeof(float));
  EXPECT_EQ(out[0][0], -1.0f);  // the probe copies its input
  session.reset();
  died.wait();
}

// One run goes when its wait is over, not before.
void expect_a_wait_of_10_ms(const std::shared_ptr<SharedSession>& session, SteppedClock& clock) {
  RunTensors run(session->signature());
  auto result = std::async(std::launch::async, [&] { return SharedSession::run(session, run.in, run.out); });
  clock.await_sleepers(1);
  clock.advance(from_ms(9));
  EXPECT_EQ(result.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  clock.advance(from_ms(1));
  EXPECT_TRUE(result.get().ok());
}

TEST_F(Batches, ShortOnesGoAfterTheirWait) {
  Probe probe;
  auto died = probe.died.get_future();
  SteppedClock clock;
  SessionTable table(clock);
  ProbeBackend backend(probe, RunKind::kCompute, 2);
  SessionRequest r = request({}, {"N", 8});
  r.batch = 3;
  r.batch_wait_ms = 10;
  auto session = table.open(backend, r).value();
  expect_a_wait_of_10_ms(session, clock);
  EXPECT_EQ(backend.last->last_bytes.load(), 8 * sizeof(float));
  session.reset();
  died.wait();
}

// The clock stands still: what waits for it waits for ever.
TEST_F(Batches, ShortOnesGoAtOnceWhenNobodyIsLeftToJoin) {
  Probe probe;
  auto died = probe.died.get_future();
  SteppedClock clock;
  SessionTable table(clock);
  ProbeBackend backend(probe, RunKind::kCompute, 2);
  SessionRequest r = request({}, {"N", 8});
  r.batch = 4;
  r.batch_wait_ms = 10;
  auto session = table.open(backend, r).value();
  session->expect_runs_of("a", 2);
  session->expect_runs_of("b", 1);
  run_all(session, 3, 8);
  EXPECT_EQ(backend.last->last_bytes.load(), 3 * 8 * sizeof(float));
  // A node that is gone sends nothing more.
  session->expect_none_of("a");
  run_all(session, 1, 8);
  EXPECT_EQ(backend.last->last_bytes.load(), 8 * sizeof(float));
  session.reset();
  died.wait();
}

// Those whose batch runs cannot join before it ends. The run itself sends the third caller: it is under way
// until that one is done.
TEST_F(Batches, DoNotWaitForCallersWhoseBatchRuns) {
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "one core runs one batch at a time";
  Probe probe;
  auto died = probe.died.get_future();
  SteppedClock clock;
  SessionTable table(clock);
  ProbeBackend backend(probe, RunKind::kCompute, 2);
  SessionRequest r = request({}, {"N", 8});
  r.batch = 2;
  r.batch_wait_ms = 10;
  auto session = table.open(backend, r).value();
  session->expect_runs_of("a", 3);
  std::atomic<int> runs{0};
  std::vector<std::size_t> sizes(2);
  probe.run = [&](int) {
    const int run = runs++;
    sizes.at(static_cast<std::size_t>(run)) = backend.last->last_bytes.load();
    if (run == 0) run_all(session, 1, 8);
    return Status();
  };
  run_all(session, 2, 8);
  EXPECT_EQ(sizes[0], 2 * 8 * sizeof(float));
  EXPECT_EQ(sizes[1], 8 * sizeof(float));
  probe.run = [](int) { return Status(); };
  session.reset();
  died.wait();
}

// Two may come and one does; or nobody knows who may come.
TEST_F(Batches, WaitForCallersThatMayStillCome) {
  Probe probe;
  auto died = probe.died.get_future();
  SteppedClock clock;
  SessionTable table(clock);
  ProbeBackend backend(probe, RunKind::kCompute, 2);
  SessionRequest r = request({}, {"N", 8});
  r.batch = 3;
  r.batch_wait_ms = 10;
  auto session = table.open(backend, r).value();
  session->expect_runs_of("a", 2);
  expect_a_wait_of_10_ms(session, clock);
  session->expect_runs_of("a", 1);
  session->expect_runs_of("b", 0);
  expect_a_wait_of_10_ms(session, clock);
  session.reset();
  died.wait();
}

TEST_F(Batches, FailTogether) {
  Probe probe;
  auto died = probe.died.get_future();
  probe.run = [](int) { return failed("broken"); };
  SteadyClock clock;
  SessionTable table(clock);
  ProbeBackend backend(probe, RunKind::kCompute, 2);
  SessionRequest r = request({}, {"N", 8});
  r.batch = 2;
  r.batch_wait_ms = 1000;
  auto session = table.open(backend, r).value();
  RunTensors a(session->signature()), b(session->signature());
  auto first = std::async(std::launch::async, [&] { return SharedSession::run(session, a.in, a.out); });
  EXPECT_EQ(SharedSession::run(session, b.in, b.out).message(), "broken");
  EXPECT_EQ(first.get().message(), "broken");
  session.reset();
  died.wait();
}

// A probe of a backend that hangs has less time than a frame has.
TEST_F(Batches, ARunThatIsPaddedHasTheTimeItsCallerGivesIt) {
  Probe probe;  // outlives the run that hangs
  std::promise<void> release;
  auto released = release.get_future().share();
  auto died = probe.died.get_future();
  probe.run = [&](int) {
    released.wait();
    return Status();
  };
  SteadyClock clock;
  SessionTable table(clock);
  ProbeBackend backend(probe, RunKind::kWaits, 2, true);
  SessionRequest r = request({{"run_timeout_ms", {600'000.0}}}, {"N", 8});
  r.batch = 2;
  auto session = table.open(backend, r).value();
  RunTensors run(session->signature());
  RunOrder order;
  order.timeout = from_ms(20);
  EXPECT_THAT(SharedSession::run(session, run.in, run.out, order).message(),
              HasSubstr("the run took longer than 20 ms and was given up"));
  session.reset();
  release.set_value();
  died.wait();
  while (lost_threads() > 0) std::this_thread::yield();
}

TEST_F(Batches, NodesMustAgree) {
  ManualClock clock;
  SessionTable table(clock);
  const auto fake = make_fake_backend(clock);
  SessionRequest first = request({}, {"N", 8});
  first.batch = 4;
  const auto session = table.open(*fake, first);
  SessionRequest second = first;
  second.node = "b";
  second.batch = 2;
  const auto other = table.open(*fake, second);
  EXPECT_EQ(other.status().code(), Code::kInvalid);
  EXPECT_THAT(other.status().message(),
              HasSubstr("nodes 'a' and 'b' share a session of model 'm', but one has batch: "
                        "{max: 4, wait_ms: 0} and the other {max: 2, wait_ms: 0}"));
}

}  // namespace
}  // namespace sluice
