// What the mock provider library and its test share. The library takes every graph, computes nothing, and in
// each run does what it is told.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice::testing {

enum class MockAct : std::uint8_t { kSucceed, kFail, kHang };

struct MockRun {
  MockAct act = MockAct::kSucceed;
  int code = 0;              // OrtErrorCode, of kFail
  const char* message = "";  // of kFail
};

// One per process, inside the library. The test writes before it opens sessions and while none runs.
struct MockControl {
  static constexpr int kMost = 64;
  MockRun script[kMost];  // of the runs, in order over all sessions; behind them all succeed
  std::atomic<int> scripted{0};
  std::atomic<int> runs{0};
  std::atomic<int> sessions{0};  // alive
  std::atomic<int> opened{0};
  std::atomic<int> refuse_sessions{0};  // so many more sessions fail to open
  std::atomic<bool> let_go{false};      // ends hanging runs
  std::atomic<int> hanging{0};
  // Performance modes as they were set.
  std::atomic<int> votes{0};
  char vote[kMost][32] = {};
  // Shared memory: what the allocator lent, and the tensors in it that runs were given.
  std::atomic<int> factories{0};  // alive: the library is registered
  std::atomic<int> allocated{0};
  std::atomic<int> freed{0};
  std::atomic<int> allocations_left{kUnlimited};  // then it throws, as Qualcomm's does
  std::atomic<void*> lend_next{nullptr};          // the test's own memory, lent once
  std::atomic<int> sharing_sessions{0};           // opened with the option
  std::atomic<int> shared_inputs{0}, shared_outputs{0}, own_inputs{0}, own_outputs{0};
  std::atomic<const void*> last_input{nullptr};
  std::atomic<void*> last_output{nullptr};
  static constexpr int kUnlimited = 1 << 30;
};

// The library's `mock_control`.
using MockControlFunction = MockControl* (*)();

}  // namespace sluice::testing
