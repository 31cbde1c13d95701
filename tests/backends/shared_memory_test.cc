// Memory that the processor and the NPU share, on a mock provider whose allocator counts: there is none on
// x86-64.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "backends/htp/htp_backend.h"
#include "backends/htp/shared_memory.h"
#include "inference/memory_offer.h"
#include "inference/session_table.h"
#include "tests/backends/log_capture.h"
#include "tests/backends/mock/mock_control.h"
#include "tests/inference/support.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace sluice::testing;

// A tensor in a pool's buffer.
Tensor tensor_in(const BufferRef& buffer, const TensorType& type) {
  Tensor out;
  out.type = std::make_shared<const TensorType>(type);
  out.data = buffer.data();
  out.bytes = byte_size(type.dtype, type.shape).value();
  out.buffer = buffer;
  return out;
}

class SharedMemory : public ::testing::Test {
 public:
  SharedMemory() {
    MockControl& m = mock();
    m.scripted = m.runs = m.opened = m.refuse_sessions = m.allocated = m.freed = m.sharing_sessions = 0;
    m.shared_inputs = m.shared_outputs = m.own_inputs = m.own_outputs = 0;
    m.allocations_left = MockControl::kUnlimited;
    provider_ = htp::Provider::open({SLUICE_MOCK_PROVIDER, "", ""});
    backend_ = make_backend(htp::open_shared_memory);
  }
  using Open = std::function<Result<std::shared_ptr<ort::SharedMemory>>(std::shared_ptr<htp::Provider>)>;
  std::unique_ptr<Backend> make_backend(Open open) {
    HtpSetup setup;
    setup.clock = &clock_;
    setup.cache = std::make_shared<ArtifactCache>("");
    setup.simulated = true;
    setup.provider = [this] { return provider_; };
    setup.shared_memory = std::move(open);
    return make_htp_backend(std::move(setup));
  }
  static OptionMap options(const char* shared) { return {{"shared_memory", {std::string(shared)}}}; }
  SessionRequest request(const char* shared = "auto") {
    SessionRequest out;
    out.model = request_for(folder_.write("m.onnx", relu_model({1, 4}).bytes()));
    out.backend = "htp";
    out.options = options(shared);
    out.on_fallback = "error";
    return out;
  }
  std::unique_ptr<Session> open(const char* shared = "auto") {
    auto session = backend_->open(request(shared));
    EXPECT_TRUE(session.ok()) << session.status().message();
    return session.ok() ? std::move(*session) : nullptr;
  }
  Result<std::shared_ptr<MemorySource>> memory(const char* shared = "auto") {
    return dynamic_cast<MemoryOffer&>(*backend_).memory(options(shared));
  }
  BufferPool::Ptr pool(std::size_t buffers) {
    auto pool = BufferPool::create("p", 16, buffers, memory().value());
    EXPECT_TRUE(pool.ok()) << pool.status().message();
    return std::move(pool).value();
  }
  static Status run(Session& session, const BufferRef& in, const BufferRef& out) {
    const Tensor input = tensor_in(in, session.signature().inputs[0]);
    Tensor output = tensor_in(out, session.signature().outputs[0]);
    const Tensor* inputs[] = {&input};
    Tensor* outputs[] = {&output};
    return session.run(0, inputs, outputs);
  }

  SteppedClock clock_;
  ScratchFolder folder_;
  LogCapture log_;
  Result<std::shared_ptr<htp::Provider>> provider_ = unavailable("not opened");
  std::unique_ptr<Backend> backend_;
};

TEST_F(SharedMemory, BuffersOfItAreReadAndWrittenInPlace) {
  const auto buffers = pool(2);
  EXPECT_EQ(buffers->kind(), MemoryKind::kShared);
  EXPECT_EQ(mock().allocated, 2);
  const auto session = open();
  ASSERT_NE(session, nullptr);
  const BufferRef in = buffers->acquire(), out = buffers->acquire();
  const float values[] = {1, 2, 3, 4};
  std::memcpy(in.data(), values, sizeof values);
  for (int i = 0; i < 3; ++i) {
    const Status status = run(*session, in, out);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(mock().last_input.load(), in.data());
    EXPECT_EQ(mock().last_output.load(), out.data());
  }
  EXPECT_EQ(std::memcmp(out.data(), values, sizeof values), 0);
  EXPECT_EQ(mock().shared_inputs, 3);
  EXPECT_EQ(mock().shared_outputs, 3);
  EXPECT_EQ(mock().own_inputs + mock().own_outputs, 0);
  EXPECT_EQ(mock().allocated, 2);  // neither we nor ONNX Runtime took more of it
}

TEST_F(SharedMemory, EachTensorIsBoundAsWhatItIs) {
  const auto shared = pool(1);
  auto own = BufferPool::create("own", 16, 1);
  const auto session = open();
  ASSERT_NE(session, nullptr);
  ASSERT_TRUE(run(*session, shared->acquire(), (*own)->acquire()).ok());
  EXPECT_EQ(mock().shared_inputs, 1);
  EXPECT_EQ(mock().own_outputs, 1);
  ASSERT_TRUE(run(*session, (*own)->acquire(), shared->acquire()).ok());
  EXPECT_EQ(mock().own_inputs, 1);
  EXPECT_EQ(mock().shared_outputs, 1);
}

TEST_F(SharedMemory, AnAddressThatCameBackAsOwnMemoryIsNotTakenForShared) {
  const auto source = memory().value();
  auto own = BufferPool::create("own", 16, 1);
  const auto session = open();
  ASSERT_NE(session, nullptr);
  alignas(64) std::byte memory_twice[64];
  mock().lend_next = memory_twice;
  std::byte* data = source->allocate(16);
  ASSERT_EQ(data, memory_twice);
  const BufferRef lent = BufferRef::foreign(data, [] {});
  ASSERT_TRUE(run(*session, lent, (*own)->acquire()).ok());
  EXPECT_EQ(mock().shared_inputs, 1);
  source->free(data, 16);
  const Status status = run(*session, lent, (*own)->acquire());  // now it is the process's
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(mock().shared_inputs, 1);
  EXPECT_EQ(mock().own_inputs, 1);
}

TEST_F(SharedMemory, OutlivesSessionsAndGoesBeforeTheLibrary) {
  auto buffers = pool(2);
  BufferRef in = buffers->acquire(), out = buffers->acquire();
  buffers.reset();
  auto first = open();
  ASSERT_NE(first, nullptr);
  ASSERT_TRUE(run(*first, in, out).ok());
  // Replaced while the buffers are in flight.
  auto second = open();
  ASSERT_NE(second, nullptr);
  first.reset();
  ASSERT_TRUE(run(*second, in, out).ok());
  EXPECT_EQ(mock().shared_inputs, 2);
  second.reset();
  backend_.reset();
  provider_ = unavailable("let go");
  EXPECT_EQ(mock().freed, 0);
  EXPECT_EQ(mock().factories, 1);  // the buffers hold the library
  out.data()[0] = std::byte{1};
  out.reset();
  EXPECT_EQ(mock().freed, 0);
  in.reset();
  EXPECT_EQ(mock().freed, 2);
  EXPECT_EQ(mock().allocated, 2);
  EXPECT_EQ(mock().factories, 0);
  EXPECT_EQ(mock().sessions, 0);
}

TEST_F(SharedMemory, ANewSessionAfterAResetUsesTheSameBuffers) {
  const auto buffers = pool(2);
  const auto session = open();
  ASSERT_NE(session, nullptr);
  mock().script[0] = {MockAct::kFail, ORT_DEVICE_RESET, "gone"};
  mock().scripted = 1;
  const Status status = run(*session, buffers->acquire(), buffers->acquire());
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(mock().shared_inputs, 1);
  EXPECT_EQ(mock().sharing_sessions, 3);  // the lender, the lost one, the new one
}

TEST_F(SharedMemory, BatchesAreGatheredInIt) {
  SessionRequest wanted = request();
  wanted.model = request_for(folder_.write("b.onnx", relu_model({"N", 4}).bytes()));
  wanted.batch = 2;
  {
    SessionTable table(clock_);
    const auto handle = table.open(*backend_, wanted);
    ASSERT_TRUE(handle.ok()) << handle.status().message();
    EXPECT_GT(mock().allocated, 0);
    RunTensors tensors((*handle)->signature());
    tensors.inputs[0].set<float>({1, 2, 3, 4});
    const Status status = SharedSession::run(*handle, tensors.in, tensors.out);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_THAT(tensors.outputs[0].values<float>(), ElementsAre(1, 2, 3, 4));
  }
  EXPECT_EQ(mock().shared_inputs, 1);
  EXPECT_EQ(mock().shared_outputs, 1);
  EXPECT_EQ(mock().freed, mock().allocated);
}

TEST_F(SharedMemory, WhenItRunsOutThePoolSaysSoAndGivesBackWhatItHad) {
  const auto source = memory().value();
  mock().allocations_left = 2;
  const auto pool = BufferPool::create("pre.out", 16, 3, source);
  ASSERT_FALSE(pool.ok());
  EXPECT_EQ(pool.status().code(), Code::kFailed);
  EXPECT_EQ(pool.status().message(), "pool 'pre.out': no shared memory for 3 buffers of 16 bytes");
  EXPECT_EQ(mock().allocated, 2);
  EXPECT_EQ(mock().freed, 2);
}

TEST_F(SharedMemory, OffMeansThatNoSessionAsksForIt) {
  EXPECT_THAT(memory("off").status().message(), HasSubstr("'off'"));
  const auto session = open("off");
  ASSERT_NE(session, nullptr);
  RunTensors tensors(session->signature());
  EXPECT_TRUE(session->run(0, tensors.in, tensors.out).ok());
  EXPECT_EQ(mock().sharing_sessions, 0);
}

TEST_F(SharedMemory, WithoutAnyAutoCopiesWithOneWarningAndOnIsRefused) {
  backend_ = make_backend([](const auto&) -> Result<std::shared_ptr<ort::SharedMemory>> {
    return unavailable("libcdsprpc.so is not there");
  });
  EXPECT_THAT(memory().status().message(), HasSubstr("libcdsprpc.so"));
  const auto session = open();
  ASSERT_NE(session, nullptr);
  RunTensors tensors(session->signature());
  EXPECT_TRUE(session->run(0, tensors.in, tensors.out).ok());
  EXPECT_EQ(mock().own_inputs, 1);
  EXPECT_EQ(mock().sharing_sessions, 0);
  EXPECT_THAT(log_.warnings(), ElementsAre(HasSubstr("is copied: libcdsprpc.so is not there")));
  const auto refused = backend_->open(request("on"));
  EXPECT_EQ(refused.status().code(), Code::kUnavailable);
  EXPECT_THAT(refused.status().message(),
              HasSubstr("shared_memory is 'on', but libcdsprpc.so is not there; write auto"));
}

TEST_F(SharedMemory, AProviderThatFailsToLendIsQuoted) {
  mock().refuse_sessions = 1;
  const auto refused = memory();
  EXPECT_EQ(refused.status().code(), Code::kUnavailable);
  EXPECT_THAT(refused.status().message(), HasSubstr("the mock was told to refuse"));
}

TEST_F(SharedMemory, TheSimulatorHasNoneAndSaysWhyWithoutBeingLoaded) {
  HtpSetup setup;
  setup.clock = &clock_;
  setup.simulated = true;
  int asked = 0;
  setup.provider = [&]() -> Result<std::shared_ptr<htp::Provider>> {
    ++asked;
    return provider_;
  };
  backend_ = make_htp_backend(std::move(setup));
  EXPECT_EQ(memory().status().message(), htp::kSimulatorSharesNothing);
  EXPECT_EQ(asked, 0);
  const auto refused = backend_->open(request("on"));
  EXPECT_EQ(refused.status().code(), Code::kUnavailable);
  EXPECT_THAT(refused.status().message(), HasSubstr(htp::kSimulatorSharesNothing));
}

}  // namespace
}  // namespace sluice
