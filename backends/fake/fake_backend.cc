#include "backends/fake/fake_backend.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <limits>
#include <mutex>

#include "inference/backend_options.h"
#include "inference/checked_model.h"

namespace sluice {
namespace {

// splitmix64 (Steele, Lea, Flood 2014): the run's number decides its jitter, whatever the order of runs.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

struct Behaviour {
  explicit Behaviour(const Options& options)
      : timeout(from_ms(options.number("run_timeout_ms"))),
        latency(from_ms(options.number("latency_ms"))),
        jitter(from_ms(options.number("jitter_ms"))),
        seed(static_cast<std::uint64_t>(options.integer("seed"))),
        fail_at(options.numbers("fail_at")),
        hang_at(options.numbers("hang_at")),
        nan_at(options.numbers("nan_at")) {}

  static bool has(const std::vector<double>& runs, std::uint64_t run) {
    return std::ranges::find(runs, static_cast<double>(run)) != runs.end();
  }
  TimeNs duration(std::uint64_t run) const {
    const double spread = static_cast<double>(mix(seed ^ (run << 1)) >> 11) * 0x1p-53 * 2 - 1;  // -1..1
    return std::max<TimeNs>(0, latency + static_cast<TimeNs>(spread * static_cast<double>(jitter)));
  }

  const TimeNs timeout, latency, jitter;
  const std::uint64_t seed;
  const std::vector<double> fail_at, hang_at, nan_at;
};

// IEEE binary16 of value / 1024 for whole values 0..2047: exact.
std::uint16_t half_of_stamp(std::uint64_t value) {
  if (value == 0) return 0;
  const int exponent = std::bit_width(value) - 1;
  return static_cast<std::uint16_t>(((exponent - 10 + 15) << 10) | ((value << (10 - exponent)) & 0x3ff));
}

template <typename T>
void put(std::byte* data, std::size_t index, T value) {
  std::memcpy(data + index * sizeof(T), &value, sizeof(T));
}

void put_stamp(std::byte* data, DType dtype, std::size_t index, std::uint64_t value) {
  switch (dtype) {
    case DType::kFloat32:
      put(data, index, static_cast<float>(value) / 1024.0f);
      break;
    case DType::kFloat64:
      put(data, index, static_cast<double>(value) / 1024.0);
      break;
    case DType::kFloat16:
      put(data, index, half_of_stamp(value));
      break;
    case DType::kUint8:
    case DType::kInt8:
      put(data, index, static_cast<std::uint8_t>(value));
      break;
    case DType::kUint16:
    case DType::kInt16:
      put(data, index, static_cast<std::uint16_t>(value));
      break;
    case DType::kInt32:
      put(data, index, static_cast<std::int32_t>(value));
      break;
    case DType::kInt64:
      put(data, index, static_cast<std::int64_t>(value));
      break;
    case DType::kBool:
      break;
  }
}

// How many elements in a row share a zero point: those behind the dimension along which it differs.
std::size_t zero_point_run(const TensorType& type) {
  std::size_t run = 1;
  for (std::size_t i = static_cast<std::size_t>(type.quant->axis) + 1; i < type.shape.rank(); ++i)
    run *= static_cast<std::size_t>(type.shape[i]);
  return run;
}

// In real numbers.
void fill_zero(const TensorType& type, Tensor& tensor) {
  std::memset(tensor.data, 0, tensor.bytes);
  if (!type.quant) return;
  const std::vector<std::int32_t>& zeros = type.quant->zero_point;
  const std::size_t run = type.quant->per_tensor() ? 1 : zero_point_run(type);
  const std::size_t bytes = size_of(type.dtype);
  for (std::size_t i = 0; i < tensor.bytes / bytes; ++i) {
    const std::int32_t zero = zeros[i / run % zeros.size()];
    if (bytes == 1)
      put(tensor.data, i, static_cast<std::uint8_t>(zero));
    else
      put(tensor.data, i, static_cast<std::uint16_t>(zero));
  }
}

void fill_nan(const TensorType& type, Tensor& tensor) {
  if (type.dtype != DType::kFloat32) return;
  for (std::size_t i = 0; i < tensor.bytes / 4; ++i)
    put(tensor.data, i, std::numeric_limits<float>::quiet_NaN());
}

class FakeSession final : public Session {
 public:
  FakeSession(ModelSignature signature, const SessionRequest& request, const Options& options, Clock& clock)
      : signature_(std::move(signature)),
        generation_(request.generation),
        slots_(std::max(1, request.slots)),
        behaviour_(options),
        clock_(clock),
        manual_(clock.manual()),
        cancelled_(static_cast<std::size_t>(slots_)) {}

  const ModelSignature& signature() const override { return signature_; }
  std::string_view backend() const override { return "fake"; }
  bool simulated() const override { return true; }
  RunKind kind() const override { return RunKind::kWaits; }
  int slots() const override { return slots_; }
  Placement placement() const override { return {}; }
  Status run(int slot, std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs) override;
  void cancel(int slot) override;

 private:
  Status hang(int slot, std::uint64_t run);
  void write(std::span<Tensor* const> outputs, std::uint64_t run) const;

  const ModelSignature signature_;
  const std::uint64_t generation_;
  const int slots_;
  const Behaviour behaviour_;
  Clock& clock_;
  const bool manual_;
  std::atomic<std::uint64_t> runs_{0};  // also those that fail
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<char> cancelled_;  // by slot; under the mutex
};

Status FakeSession::run(int slot, std::span<const Tensor* const>, std::span<Tensor* const> outputs) {
  const std::uint64_t run = runs_.fetch_add(1, std::memory_order_relaxed);
  const TimeNs duration = behaviour_.duration(run);
  // A run that will be given up must not be found waiting on the clock, which it may outlive.
  if (Behaviour::has(behaviour_.hang_at, run) || duration >= behaviour_.timeout) return hang(slot, run);
  if (!manual_) clock_.sleep_until(clock_.now() + duration, [] { return false; });
  if (Behaviour::has(behaviour_.fail_at, run))
    return failed("backend 'fake' was told to fail in run " + std::to_string(run) + " (option 'fail_at')");
  write(outputs, run);
  return {};
}

Status FakeSession::hang(int slot, std::uint64_t run) {
  const auto index = static_cast<std::size_t>(slot);
  if (!manual_) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this, index] { return cancelled_[index] != 0; });
    cancelled_[index] = 0;
  }
  return timed_out("backend 'fake' hung in run " + std::to_string(run) + ", as its options say");
}

void FakeSession::cancel(int slot) {
  {
    std::lock_guard lock(mutex_);
    cancelled_[static_cast<std::size_t>(slot)] = 1;
  }
  wake_.notify_all();
}

void FakeSession::write(std::span<Tensor* const> outputs, std::uint64_t run) const {
  const bool nan = Behaviour::has(behaviour_.nan_at, run);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    fill_zero(signature_.outputs[i], *outputs[i]);
    if (nan) fill_nan(signature_.outputs[i], *outputs[i]);
  }
  const TensorType& type = signature_.outputs[0];
  if (nan || outputs[0]->bytes / size_of(type.dtype) < FakeStamp::kElements) return;
  const std::uint64_t stamp[FakeStamp::kElements] = {FakeStamp::kBackend,
                                                     fake_variant_hash(signature_.variant), generation_, run};
  for (std::size_t i = 0; i < FakeStamp::kElements; ++i)
    put_stamp(outputs[0]->data, type.dtype, i, stamp[i] % FakeStamp::kModulus);
}

class FakeBackend final : public Backend {
 public:
  explicit FakeBackend(Clock& clock) : clock_(clock) {}
  std::string_view name() const override { return "fake"; }
  Status available() override { return {}; }
  bool simulated() const override { return true; }
  const std::vector<OptionDeclaration>& options() const override { return backend_options("fake"); }
  Result<std::unique_ptr<Session>> open(const SessionRequest& request) override {
    SLUICE_ASSIGN(ModelSignature signature, read_signature(request.model, request.keep_float));
    const Options options(with_defaults("fake", request.options));
    return std::unique_ptr<Session>(
        std::make_unique<FakeSession>(std::move(signature), request, options, clock_));
  }

 private:
  Clock& clock_;
};

}  // namespace

std::uint64_t fake_variant_hash(std::string_view variant) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : variant) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  return hash;
}

std::unique_ptr<Backend> make_fake_backend(Clock& clock) { return std::make_unique<FakeBackend>(clock); }

}  // namespace sluice
