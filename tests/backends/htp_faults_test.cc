// Backend htp on a mock provider library that counts votes, fails with each code, hangs and resets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>
#include <thread>

#include "backends/htp/htp_backend.h"
#include "backends/htp/htp_session.h"
#include "framework/core/allocation_scope.h"
#include "inference/session_table.h"
#include "tests/backends/log_capture.h"
#include "tests/backends/mock/mock_control.h"
#include "tests/inference/support.h"

namespace {
std::atomic<long> own_allocations{0};
}  // namespace

// Counts what our own code allocates in this test program. Not inlined: the compiler would see malloc on one
// side of a pair only, and warn.
__attribute__((noinline)) void* operator new(std::size_t size) {
  if (sluice::own_code_depth > 0) own_allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace sluice::testing;

class HtpFaults : public ::testing::Test {
 public:
  HtpFaults() {
    MockControl& m = mock();
    m.scripted = m.runs = m.opened = m.votes = m.refuse_sessions = 0;
    m.let_go = false;
    provider_ = htp::Provider::open({SLUICE_MOCK_PROVIDER, "", ""});
    backend_ = make_backend(clock_);
  }
  std::unique_ptr<Backend> make_backend(Clock& clock) {
    HtpSetup setup;
    setup.clock = &clock;
    setup.cache = std::make_shared<ArtifactCache>("");
    setup.simulated = true;
    setup.provider = [this] { return provider_; };
    return make_htp_backend(std::move(setup));
  }
  ~HtpFaults() override { mock().let_go = true; }
  SessionRequest request() {
    SessionRequest out;
    out.model = request_for(folder_.write("m.onnx", relu_model({1, 4}).bytes()));
    out.backend = "htp";
    out.options = {{"performance_mode", {std::string("burst")}}};
    out.on_fallback = "error";
    return out;
  }
  std::unique_ptr<Session> open() {
    auto session = backend_->open(request());
    EXPECT_TRUE(session.ok()) << session.status().message();
    return session.ok() ? std::move(*session) : nullptr;
  }
  static Status run(Session& session, std::vector<float>* result = nullptr) {
    RunTensors tensors(session.signature());
    tensors.inputs[0].set<float>({1, 2, 3, 4});
    Status status = session.run(0, tensors.in, tensors.out);
    if (result) *result = tensors.outputs[0].values<float>();
    return status;
  }
  static void script(std::vector<MockRun> runs) {
    std::ranges::copy(runs, mock().script);
    mock().runs = 0;
    mock().scripted = static_cast<int>(runs.size());
  }
  static std::vector<std::string> votes() {
    return {mock().vote, mock().vote + std::min(mock().votes.load(), MockControl::kMost)};
  }

  SteppedClock clock_;
  ScratchFolder folder_;
  LogCapture log_;
  Result<std::shared_ptr<htp::Provider>> provider_ = unavailable("not opened");
  std::unique_ptr<Backend> backend_;
};

constexpr MockRun kReset1007{MockAct::kFail, ORT_FAIL, "QNN graph execute error. Error: x, Code: 1007"};
constexpr MockRun kReset1011{MockAct::kFail, ORT_FAIL, "QNN graph execute error. Error: x, Code: 1011"};
constexpr MockRun kDeviceReset{MockAct::kFail, ORT_DEVICE_RESET, "gone"};
constexpr MockRun kFine{};

TEST_F(HtpFaults, VotesAreReleasedWhenIdleAndAtTheEnd) {
  auto session = open();
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(session->performance_mode(), "burst");
  EXPECT_THAT(votes(), IsEmpty());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(run(*session).ok());
  EXPECT_THAT(votes(), ElementsAre("burst"));
  clock_.advance(from_ms(500));
  EXPECT_THAT(votes(), ElementsAre("burst", "low_power_saver"));
  ASSERT_TRUE(run(*session).ok());
  session.reset();
  EXPECT_THAT(votes(), ElementsAre("burst", "low_power_saver", "burst", "low_power_saver"));
  EXPECT_EQ(mock().sessions, 0);
}

TEST_F(HtpFaults, ARunAllocatesNothingOnceWarm) {
  const auto session = open();
  ASSERT_NE(session, nullptr);
  RunTensors tensors(session->signature());
  ASSERT_TRUE(session->run(0, tensors.in, tensors.out).ok());
  own_allocations = 0;
  bool fine = true;
  {
    const OwnCode own;
    for (int i = 0; i < 100; ++i) fine = session->run(0, tensors.in, tensors.out).ok() && fine;
  }
  EXPECT_TRUE(fine);
  EXPECT_EQ(own_allocations.load(), 0);
}

TEST_F(HtpFaults, AFailingRunIsAnErrorInTheProvidersWordsAndTheNextRunIsFine) {
  const auto session = open();
  ASSERT_NE(session, nullptr);
  for (int code = ORT_FAIL; code <= ORT_NOT_FOUND; ++code) {
    script({{MockAct::kFail, code, "Error: QNN_COMMON_ERROR_GENERAL, Code: 1100"}});
    const Status status = run(*session);
    EXPECT_EQ(status.code(), Code::kFailed) << code;
    EXPECT_THAT(status.message(), HasSubstr("Code: 1100"));
    std::vector<float> result;
    EXPECT_TRUE(run(*session, &result).ok());
    EXPECT_THAT(result, ElementsAre(1, 2, 3, 4));
  }
  EXPECT_EQ(mock().opened, 1);  // none of them was taken for a reset
  EXPECT_TRUE(backend_->available().ok());
}

TEST_F(HtpFaults, AfterAResetTheFrameRunsOnANewSession) {
  const auto session = open();
  ASSERT_NE(session, nullptr);
  for (const MockRun& reset : {kReset1007, kDeviceReset}) {
    script({reset});
    std::vector<float> result;
    const Status status = run(*session, &result);
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_THAT(result, ElementsAre(1, 2, 3, 4));
    clock_.advance(from_s(61));
  }
  EXPECT_EQ(mock().opened, 3);
  EXPECT_EQ(mock().sessions, 1);  // the lost ones are gone
  EXPECT_EQ(log_.warnings().size(), 2u);
  EXPECT_TRUE(backend_->available().ok());
}

TEST_F(HtpFaults, TheNewSessionGetsItsOwnVote) {
  const auto session = open();
  ASSERT_NE(session, nullptr);
  script({kFine, kReset1011});
  ASSERT_TRUE(run(*session).ok());
  ASSERT_TRUE(run(*session).ok());
  EXPECT_THAT(votes(), ElementsAre("burst", "burst"));
}

TEST_F(HtpFaults, AFrameIsTriedOnceMoreAndNoMore) {
  const auto session = open();
  ASSERT_NE(session, nullptr);
  script({kReset1007, kReset1007, kFine});
  const Status status = run(*session);
  EXPECT_EQ(status.code(), Code::kFailed);
  EXPECT_THAT(status.message(), HasSubstr("Code: 1007"));
  EXPECT_EQ(mock().runs, 2);
}

TEST_F(HtpFaults, ThreeResetsWithinAMinuteAreAFailedBackend) {
  const auto session = open();
  ASSERT_NE(session, nullptr);
  script({kReset1007, kFine, kReset1007, kFine, kReset1007});
  EXPECT_TRUE(run(*session).ok());
  clock_.advance(from_s(20));
  EXPECT_TRUE(run(*session).ok());
  clock_.advance(from_s(20));
  const Status status = run(*session);
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("3 times within a minute"));
  EXPECT_EQ(run(*session).code(), Code::kUnavailable);
  EXPECT_THAT(backend_->available().message(), HasSubstr("backend 'htp' has failed"));
  EXPECT_EQ(backend_->open(request()).status().code(), Code::kUnavailable);
}

TEST_F(HtpFaults, ResetsThatLieApartAreForgiven) {
  const auto session = open();
  ASSERT_NE(session, nullptr);
  for (int i = 0; i < 5; ++i) {
    script({kReset1007});
    EXPECT_TRUE(run(*session).ok());
    clock_.advance(from_s(31));
  }
  EXPECT_TRUE(backend_->available().ok());
}

TEST_F(HtpFaults, WithoutANewSessionFramesFailUntilThereIsOne) {
  const auto session = open();
  ASSERT_NE(session, nullptr);
  script({kReset1007});
  mock().refuse_sessions = 1;
  EXPECT_THAT(run(*session).message(), HasSubstr("Code: 1007"));
  clock_.advance(from_s(61));
  const Status next = run(*session);  // starts another try
  EXPECT_EQ(next.code(), Code::kFailed);
  EXPECT_THAT(next.message(), HasSubstr("is being made anew"));
  for (;;) {  // until it is there
    const Status status = run(*session);
    if (status.ok()) break;
    ASSERT_THAT(status.message(), HasSubstr("is being made anew"));
    std::this_thread::yield();
  }
  EXPECT_TRUE(backend_->available().ok());
}

TEST_F(HtpFaults, AHangingRunIsGivenUpAndTheClockMayGoFirst) {
  script({{MockAct::kHang, 0, ""}});
  {
    SteppedClock clock;
    const auto backend = make_backend(clock);
    SessionTable table(clock);
    auto handle = table.open(*backend, request());
    ASSERT_TRUE(handle.ok()) << handle.status().message();
    RunTensors tensors((*handle)->signature());
    tensors.inputs[0].set<float>({1, 2, 3, 4});
    Status status;
    std::thread caller([&] { status = SharedSession::run(*handle, tensors.in, tensors.out); });
    clock.await_sleepers(1);
    while (mock().hanging == 0) std::this_thread::yield();
    clock.advance(from_s(11));
    caller.join();
    EXPECT_EQ(status.code(), Code::kTimeout);
    handle = unavailable("");
  }
  EXPECT_EQ(mock().sessions, 1);  // held by its hung run
  mock().let_go = true;
  while (mock().sessions > 0) std::this_thread::yield();
  EXPECT_THAT(votes(), ElementsAre("burst", "low_power_saver"));
}

}  // namespace
}  // namespace sluice
