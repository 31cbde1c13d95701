// Shared memory through Qualcomm's own provider: a library in libcdsprpc.so's place lends it.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/htp/htp_backend.h"
#include "backends/htp/shared_memory.h"
#include "inference/memory_offer.h"
#include "tests/backends/htp_models.h"
#include "tests/backends/log_capture.h"
#include "tests/inference/support.h"

namespace sluice {
namespace {

using namespace sluice::testing;

int ask(const char* what) {
  // Loaded by its path, found by its name when the provider asks for it.
  static void* const library = ::dlopen(SLUICE_FAKE_RPCMEM, RTLD_NOW | RTLD_GLOBAL);
  const auto function = reinterpret_cast<int (*)()>(::dlsym(library, what));
  return function();
}

class Rpcmem : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!htp::kSimulator) GTEST_SKIP() << "Qualcomm's simulator is an x86-64 library";
    ASSERT_EQ(ask("fake_rpcmem_alive"), 0);
    HtpSetup setup;
    setup.clock = &clock_;
    setup.cache = std::make_shared<ArtifactCache>(folder_ / "artifacts");
    setup.shared_memory = htp::open_shared_memory;
    backend_ = make_htp_backend(std::move(setup));
  }
  Result<std::unique_ptr<Session>> open() {
    SessionRequest request;
    request.model = request_for(folder_.write("m.onnx", npu_model().bytes()));
    request.backend = "htp";
    request.on_fallback = "error";
    request.keep_float = {"x", "y"};
    return backend_->open(request);
  }

  ScratchFolder folder_;
  LogCapture log_;
  SteppedClock clock_;
  std::unique_ptr<Backend> backend_;
};

TEST_F(Rpcmem, QualcommsProviderLendsItAndTakesItBack) {
  const auto memory = dynamic_cast<MemoryOffer&>(*backend_).memory({});
  ASSERT_TRUE(memory.ok()) << memory.status().message();
  auto pool = BufferPool::create("p", 100, 3, *memory);
  ASSERT_TRUE(pool.ok()) << pool.status().message();
  EXPECT_EQ(ask("fake_rpcmem_alive"), 3);
  backend_.reset();
  pool->reset();
  EXPECT_EQ(ask("fake_rpcmem_alive"), 0);
}

// Whether a context was compiled just now or comes from the cache. Of shared buffers the provider asks QNN to
// map them, which the simulator refuses: so far, and no further, it can be seen here.
TEST_F(Rpcmem, ItsSessionsCopyOurOwnBuffersAndMapSharedOnes) {
  const auto memory = dynamic_cast<MemoryOffer&>(*backend_).memory({});
  ASSERT_TRUE(memory.ok()) << memory.status().message();
  for (const char* from : {"compiled", "cached"}) {
    const auto session = open();
    ASSERT_TRUE(session.ok()) << from << ": " << session.status().message();
    RunTensors tensors((*session)->signature());
    const Status own = (*session)->run(0, tensors.in, tensors.out);
    EXPECT_TRUE(own.ok()) << from << ": " << own.message();
    auto pool = BufferPool::create("p", tensors.inputs[0].tensor.bytes, 1, *memory);
    ASSERT_TRUE(pool.ok()) << pool.status().message();
    const BufferRef buffer = (*pool)->acquire();
    tensors.inputs[0].tensor.data = buffer.data();
    const Status shared = (*session)->run(0, tensors.in, tensors.out);
    EXPECT_EQ(shared.code(), Code::kFailed) << from;
    EXPECT_THAT(shared.message(), ::testing::HasSubstr("memRegister() failed")) << from;
  }
}

}  // namespace
}  // namespace sluice
