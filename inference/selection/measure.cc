#include "inference/selection/measure.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "framework/core/buffer.h"

namespace sluice {
namespace {

constexpr int kMostRuns = 100;

double at(const std::vector<TimeNs>& sorted, double share) {
  const auto last = static_cast<double>(sorted.size() - 1);
  return to_ms(sorted[static_cast<std::size_t>(share * last + 0.5)]);
}

}  // namespace

Result<std::vector<Tensor>> zero_tensors(const std::vector<TensorType>& types) {
  std::vector<Tensor> out;
  for (const TensorType& type : types) {
    Tensor& tensor = out.emplace_back();
    SLUICE_ASSIGN(tensor.bytes, byte_size(type.dtype, type.shape));
    SLUICE_ASSIGN(const BufferPool::Ptr pool,
                  BufferPool::create("measured '" + type.name + "'", tensor.bytes, 1));
    tensor.type = std::make_shared<const TensorType>(type);
    tensor.buffer = pool->acquire();
    tensor.data = tensor.buffer.data();
    std::memset(tensor.data, 0, tensor.bytes);
  }
  return out;
}

Result<Measured> measure(const SessionHandle& session, Clock& clock, const MeasureRequest& request) {
  SLUICE_ASSIGN(const std::vector<Tensor> inputs, zero_tensors(session->signature().inputs));
  SLUICE_ASSIGN(std::vector<Tensor> outputs, zero_tensors(session->signature().outputs));
  std::vector<const Tensor*> in;
  std::vector<Tensor*> out;
  for (const Tensor& tensor : inputs) in.push_back(&tensor);
  for (Tensor& tensor : outputs) out.push_back(&tensor);
  Measured measured;
  std::vector<TimeNs> times;
  const TimeNs enough = clock.now() + request.at_least;
  for (int run = 0; run <= request.runs || (run <= kMostRuns && clock.now() < enough); ++run) {
    if (run > 1 && clock.now() >= request.until) break;
    if (request.stopped && request.stopped()) break;
    TimeNs ran = 0;
    const RunOrder order{.timeout = request.timeout, .ran = &ran};
    const TimeNs start = clock.now();
    SLUICE_RETURN_IF_ERROR(SharedSession::run(session, in, out, order));
    if (ran == 0) ran = std::max<TimeNs>(1, clock.now() - start);
    if (run == 0)
      measured.first_ms = to_ms(ran);
    else
      times.push_back(ran);
  }
  if (times.empty()) return cancelled("stopped before it was measured");
  std::sort(times.begin(), times.end());
  measured.median_ms = at(times, 0.5);
  measured.p95_ms = at(times, 0.95);
  measured.least_ms = to_ms(times.front());
  return measured;
}

}  // namespace sluice
