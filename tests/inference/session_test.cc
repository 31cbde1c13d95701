// The session table, lanes, hanging runs, batches and the fake backend.
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

OptionValue numbers(std::initializer_list<std::int64_t> values) {
  OptionList list;
  for (const std::int64_t v : values) list.push_back({v});
  return {list};
}

TEST_F(Sessions, FakeWritesZerosAndItsStamp) {
  ManualClock clock;
  const auto fake = make_fake_backend(clock);
  SessionRequest r = request();
  r.model.variant = "small";
  r.generation = 7;
  const auto session = fake->open(r);
  ASSERT_TRUE(session.ok()) << session.status().message();
  EXPECT_TRUE((*session)->simulated());
  RunTensors run((*session)->signature());
  ASSERT_TRUE((*session)->run(0, run.in, run.out).ok());
  ASSERT_TRUE((*session)->run(0, run.in, run.out).ok());
  const float variant = static_cast<float>(fake_variant_hash("small") % FakeStamp::kModulus);
  EXPECT_THAT(run.outputs[0].values<float>(),
              ::testing::ElementsAre(77 / 1024.0f, variant / 1024, 7 / 1024.0f, 1 / 1024.0f, 0, 0, 0, 0));
}

TEST_F(Sessions, FakeStampsQuantisedOutputsAroundTheirZero) {
  ManualClock clock;
  SessionRequest r = request();
  r.model = request_for(folder_.write("q.onnx", qdq_model().bytes()));
  const auto session = make_fake_backend(clock)->open(r);
  ASSERT_TRUE(session.ok());
  RunTensors run((*session)->signature());
  ASSERT_TRUE((*session)->run(0, run.in, run.out).ok());
  const auto out = run.outputs[0].values<std::int8_t>();
  EXPECT_EQ(out[0], 77);
  EXPECT_EQ(out[4], -3);
  EXPECT_EQ(out[7], -3);
}

TEST_F(Sessions, FakeWritesTheZeroOfEachChannel) {
  ManualClock clock;
  SessionRequest r = request();
  const ModelBuilder model = ModelBuilder()
                                 .input("x", {1, 2, 4})
                                 .output("y", {1, 2, 4})
                                 .weight(tensor<float>("s", onnx::kFloat, {2}, {0.5f, 2}))
                                 .weight(tensor<std::uint8_t>("z", onnx::kUint8, {2}, {3, 200}))
                                 .node("Relu", {"x"}, {"r"})
                                 .node("QuantizeLinear", {"r", "s", "z"}, {"q"})
                                 .node("DequantizeLinear", {"q", "s", "z"}, {"y"});
  r.model = request_for(folder_.write("axis.onnx", model.bytes()));
  const auto session = make_fake_backend(clock)->open(r);
  ASSERT_TRUE(session.ok()) << session.status().message();
  RunTensors run((*session)->signature());
  ASSERT_TRUE((*session)->run(0, run.in, run.out).ok());
  const auto out = run.outputs[0].values<std::uint8_t>();  // the stamp takes the first channel
  EXPECT_THAT(std::vector<int>(out.begin() + 4, out.end()), ::testing::ElementsAre(200, 200, 200, 200));
}

TEST_F(Sessions, FakeTakesItsTimeOnTheClock) {
  SteppedClock clock;
  const auto session = make_fake_backend(clock)->open(request({{"latency_ms", {30.0}}}));
  ASSERT_TRUE(session.ok());
  RunTensors run((*session)->signature());
  auto result = std::async(std::launch::async, [&] { return (*session)->run(0, run.in, run.out); });
  clock.await_sleepers(1);
  clock.advance(from_ms(29));
  EXPECT_EQ(clock.sleepers(), 1);
  clock.advance(from_ms(1));
  EXPECT_TRUE(result.get().ok());
}

TEST_F(Sessions, FakeFailsAndWritesNanWhereToldTo) {
  ManualClock clock;
  const auto session =
      make_fake_backend(clock)->open(request({{"fail_at", numbers({1})}, {"nan_at", numbers({2})}}));
  RunTensors run((*session)->signature());
  EXPECT_TRUE((*session)->run(0, run.in, run.out).ok());
  EXPECT_THAT((*session)->run(0, run.in, run.out).message(),
              HasSubstr("told to fail in run 1 (option 'fail_at')"));
  EXPECT_TRUE((*session)->run(0, run.in, run.out).ok());
  EXPECT_TRUE(std::isnan(run.outputs[0].values<float>()[0]));
}

TEST_F(Sessions, SameRequestIsShared) {
  ManualClock clock;
  SessionTable table(clock);
  const auto fake = make_fake_backend(clock);
  const auto a = table.open(*fake, request());
  const auto b = table.open(*fake, request());
  EXPECT_EQ(*a, *b);
  EXPECT_NE(*table.open(*fake, request({{"latency_ms", {1.0}}})), *a);
  SessionRequest other = request();
  other.model.variant = "v";
  const auto c = table.open(*fake, other);
  EXPECT_NE(*c, *a);
  EXPECT_EQ(table.size(), 2u);  // the one with another latency is gone
}

// Tells when it is asked for a session and makes it when it is let.
class HeldBackend final : public Backend {
 public:
  explicit HeldBackend(std::unique_ptr<Backend> real) : real_(std::move(real)) {}
  std::string_view name() const override { return real_->name(); }
  Status available() override { return real_->available(); }
  const std::vector<OptionDeclaration>& options() const override { return real_->options(); }
  Result<std::unique_ptr<Session>> open(const SessionRequest& request) override {
    ++opened;
    asked.set_value();
    let.get_future().wait();
    return real_->open(request);
  }
  std::promise<void> asked, let;
  std::atomic<int> opened{0};

 private:
  const std::unique_ptr<Backend> real_;
};

TEST_F(Sessions, ABackendThatOpensKeepsNoOtherWaiting) {
  ManualClock clock;
  SessionTable table(clock);
  HeldBackend slow(make_fake_backend(clock));
  const auto quick = make_fake_backend(clock);
  SessionRequest other = request();
  other.backend = "other";
  auto held = std::async(std::launch::async, [&, r = request()] { return table.open(slow, r); });
  slow.asked.get_future().wait();
  const auto opened = table.open(*quick, other);
  EXPECT_EQ(table.size(), 1u);
  slow.let.set_value();
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  const auto late = held.get();
  ASSERT_TRUE(late.ok()) << late.status().message();
  EXPECT_NE((*late)->request().generation, (*opened)->request().generation);
  EXPECT_EQ(table.size(), 2u);
}

TEST_F(Sessions, OfTwoThatAskAtOnceOneOpensAndBothShare) {
  ManualClock clock;
  SessionTable table(clock);
  HeldBackend slow(make_fake_backend(clock));
  const SessionRequest same = request();
  const auto open = [&] { return table.open(slow, same); };
  auto first = std::async(std::launch::async, open);
  slow.asked.get_future().wait();
  auto second = std::async(std::launch::async, open);
  slow.let.set_value();
  const auto a = first.get(), b = second.get();
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(*a, *b);
  EXPECT_EQ(slow.opened, 1);
}

TEST_F(Sessions, ContentCountsNotPath) {
  ManualClock clock;
  SessionTable table(clock);
  const auto fake = make_fake_backend(clock);
  const auto a = table.open(*fake, request());
  SessionRequest copy = request();
  copy.model.path = folder_.write("copy.onnx", relu_model({1, 8}).bytes());
  EXPECT_EQ(*table.open(*fake, copy), *a);
  SessionRequest changed = request({}, {1, 9});
  EXPECT_NE(*table.open(*fake, changed), *a);
}

TEST_F(Sessions, ReplacedOneDiesElsewhereWithItsLastFrame) {
  Probe probe;
  auto died = probe.died.get_future();
  ManualClock clock;
  SessionTable table(clock);
  ProbeBackend backend(probe, RunKind::kCompute, 1);
  auto node = table.open(backend, request()).value();
  SessionHandle frame = node;
  node.reset();
  EXPECT_EQ(died.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  frame.reset();
  EXPECT_NE(died.get(), std::this_thread::get_id());
}

TEST_F(Sessions, HungRunIsGivenUpAndTheNextOneWorks) {
  // Declared first: outlives the run that hangs.
  Probe probe;
  std::promise<void> release;
  auto released = release.get_future().share();
  auto died = probe.died.get_future();
  std::atomic<int> runs{0};
  probe.run = [&](int) {
    if (runs++ == 0) released.wait();
    return Status();
  };
  SteppedClock clock;
  auto table = std::make_unique<SessionTable>(clock);
  ProbeBackend backend(probe, RunKind::kWaits, 2);
  auto session = table->open(backend, request({{"run_timeout_ms", {50.0}}})).value();
  RunTensors run(session->signature());

  auto hung = std::async(std::launch::async, [&] { return SharedSession::run(session, run.in, run.out); });
  clock.await_sleepers(1);
  while (runs.load() == 0) std::this_thread::yield();
  clock.advance(from_ms(49));
  EXPECT_EQ(hung.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  clock.advance(from_ms(1));
  const Status status = hung.get();
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_THAT(status.message(), HasSubstr("took longer than 50 ms and was given up"));
  EXPECT_EQ(session->abandoned(), 1u);
  EXPECT_EQ(probe.cancelled.load(), 1);

  EXPECT_TRUE(SharedSession::run(session, run.in, run.out).ok());
  // The end does not wait for the hung run: the session lives until that comes back.
  session.reset();
  table.reset();
  EXPECT_EQ(died.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  EXPECT_EQ(lost_threads(), 1);  // the process must not run its exit handlers now
  release.set_value();
  died.wait();
  while (lost_threads() > 0) std::this_thread::yield();
}

TEST_F(Sessions, AHungRunKeepsItsBuffers) {
  Probe probe;
  std::promise<void> release;
  auto released = release.get_future().share();
  auto died = probe.died.get_future();
  std::atomic<bool> running{false};
  probe.run = [&](int) {
    running = true;
    released.wait();
    return Status();
  };
  SteppedClock clock;
  SessionTable table(clock);
  ProbeBackend backend(probe, RunKind::kWaits, 2);
  auto session = table.open(backend, request({{"run_timeout_ms", {5.0}}})).value();
  auto pool = BufferPool::create("out", 32, 1).value();
  RunTensors run(session->signature());
  run.outputs[0].tensor.buffer = pool->acquire();
  run.outputs[0].tensor.data = run.outputs[0].tensor.buffer.data();
  auto hung = std::async(std::launch::async, [&] { return SharedSession::run(session, run.in, run.out); });
  while (!running) std::this_thread::yield();
  clock.await_sleepers(1);
  clock.advance(from_ms(5));
  EXPECT_EQ(hung.get().code(), Code::kTimeout);
  run.outputs[0].tensor.buffer.reset();
  EXPECT_EQ(pool->stats().in_use, 1u);
  release.set_value();
  session.reset();
  died.wait();
  EXPECT_EQ(pool->stats().in_use, 0u);
}

TEST_F(Sessions, WhenAllSlotsHangRunsFailAtOnce) {
  Probe probe;
  std::promise<void> release;
  auto released = release.get_future().share();
  auto died = probe.died.get_future();
  std::atomic<int> running{0};
  probe.run = [&](int) {
    ++running;
    released.wait();
    return Status();
  };
  SteppedClock clock;
  SessionTable table(clock);
  ProbeBackend backend(probe, RunKind::kWaits, 1);
  auto session = table.open(backend, request({{"run_timeout_ms", {5.0}}})).value();
  RunTensors run(session->signature());
  auto hung = std::async(std::launch::async, [&] { return SharedSession::run(session, run.in, run.out); });
  while (running == 0) std::this_thread::yield();
  clock.await_sleepers(1);
  clock.advance(from_ms(5));
  EXPECT_EQ(hung.get().code(), Code::kTimeout);
  EXPECT_THAT(SharedSession::run(session, run.in, run.out).message(),
              HasSubstr("all 1 run slots of backend 'probe' hang"));
  release.set_value();
  session.reset();
  died.wait();
}

TEST_F(Sessions, FakeHangsUntilGivenUp) {
  SteppedClock clock;
  const auto fake = make_fake_backend(clock);
  SessionTable table(clock);
  auto session =
      table
          .open(*fake,
                request({{"latency_ms", {0.0}}, {"hang_at", numbers({0})}, {"run_timeout_ms", {20.0}}}))
          .value();
  RunTensors run(session->signature());
  auto hung = std::async(std::launch::async, [&] { return SharedSession::run(session, run.in, run.out); });
  clock.await_sleepers(1);
  while (hung.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    clock.advance(from_ms(20));
    std::this_thread::yield();
  }
  EXPECT_EQ(hung.get().code(), Code::kTimeout);
  EXPECT_TRUE(SharedSession::run(session, run.in, run.out).ok());
}

TEST_F(Sessions, NothingWaitsUnderAManualClock) {
  ManualClock clock;
  const auto fake = make_fake_backend(clock);
  SessionTable table(clock);
  auto session = table.open(*fake, request({{"latency_ms", {1000.0}}, {"hang_at", numbers({1})}})).value();
  RunTensors run(session->signature());
  EXPECT_TRUE(SharedSession::run(session, run.in, run.out).ok());
  EXPECT_EQ(SharedSession::run(session, run.in, run.out).code(), Code::kTimeout);
  EXPECT_TRUE(SharedSession::run(session, run.in, run.out).ok());
}

TEST_F(Sessions, LaneRunsTheMostUrgentFirst) {
  Probe probe;
  auto died = probe.died.get_future();
  std::promise<void> go;
  auto gone = go.get_future().share();
  std::atomic<int> runs{0};
  std::mutex mutex;
  std::vector<int> order;
  SteppedClock clock;
  SessionTable table(clock);
  ProbeBackend backend(probe, RunKind::kWaits, 4);
  auto session = table.open(backend, request()).value();
  std::vector<std::unique_ptr<RunTensors>> tensors;
  tensors.reserve(4);
  for (int i = 0; i < 4; ++i) tensors.push_back(std::make_unique<RunTensors>(session->signature()));
  // Each run but the first stops until the caller before it has noted its end: the order of the notes is that
  // of the runs.
  probe.run = [&](int) {
    const int run = runs++;
    if (run == 0) gone.wait();
    const auto noted = [&] {
      std::lock_guard lock(mutex);
      return static_cast<int>(order.size());
    };
    while (noted() < run) std::this_thread::yield();
    return Status();
  };
  std::vector<std::thread> threads;
  const auto start = [&](int index, RunOrder urgency) {
    threads.emplace_back([&, index, urgency] {
      RunTensors& t = *tensors[static_cast<std::size_t>(index)];
      t.inputs[0].set(std::vector<float>(8, static_cast<float>(index)));
      EXPECT_TRUE(SharedSession::run(session, t.in, t.out, urgency).ok());
      std::lock_guard lock(mutex);
      order.push_back(index);
    });
    clock.await_sleepers(index + 1);
  };
  start(0, {});
  while (runs.load() == 0) std::this_thread::yield();
  start(1, {.priority = 0, .due = 500});
  start(2, {.priority = 0, .due = 100});
  start(3, {.priority = 5, .due = kNever});
  go.set_value();
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(order, ::testing::ElementsAre(0, 3, 2, 1));
  session.reset();
  died.wait();
}

}  // namespace
}  // namespace sluice
