#include "runtime/warm_up.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "framework/core/half.h"
#include "framework/core/log.h"
#include "inference/checked_model.h"
#include "inference/foreign_json.h"
#include "nodes/pixels/linear_quant.h"
#include "quantize/error_meter.h"
#include "runtime/option_json.h"
#include "simulation/random.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kAgrees = 1.3;  // times: what was kept on a busy machine must not decide on a free one
constexpr int kComparedRuns = 3;
constexpr double kSlowMs = 20;   // what is faster is measured in no time, and side by side with the others
constexpr double kMostMs = 1e8;  // a kept time beyond this is damage
constexpr int kAccuracySamples = 3;
constexpr std::uint64_t kNoiseSeed = 1;

std::string machine() {
  utsname name{};
  ::uname(&name);
  std::string cpu;
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; cpu.empty() && std::getline(info, line);) {
    if (line.starts_with("model name")) cpu = line;
  }
  return fmt::format("{} {} {} {} threads", name.machine, name.release, cpu,
                     std::thread::hardware_concurrency());
}

std::string to_text(const Measured& m) {
  return Json{{"median_ms", m.median_ms}, {"p95_ms", m.p95_ms}, {"first_ms", m.first_ms}}.dump();
}

// Of a kept entry; none: it is not what was written.
std::optional<double> kept(const Json& json, const char* key, double least, double most) {
  const auto found = json.is_object() ? json.find(key) : json.end();
  if (found == json.end() || !found->is_number()) return std::nullopt;
  const auto value = found->get<double>();
  return value >= least && value <= most ? std::optional(value) : std::nullopt;
}

std::optional<Measured> times_of(const std::string& text) {
  const Json json = read_json<Json>(text);
  const auto median = kept(json, "median_ms", 1e-6, kMostMs), p95 = kept(json, "p95_ms", 1e-6, kMostMs),
             first = kept(json, "first_ms", 0, kMostMs);
  if (!median || !p95 || !first) return std::nullopt;
  return Measured{*median, *p95, *first, *median};
}

// --- accuracy

std::size_t count_of(const Tensor& tensor) { return tensor.bytes / size_of(tensor.type->dtype); }

// Writes real numbers as the tensor's type has them.
Status write_reals(const std::vector<float>& reals, Tensor& tensor) {
  const TensorType& type = *tensor.type;
  const auto* in = reinterpret_cast<const std::byte*>(reals.data());
  if (reals.size() != count_of(tensor)) return invalid("its inputs have another size");
  if (type.dtype == DType::kFloat32) {
    std::memcpy(tensor.data, in, tensor.bytes);
    return {};
  }
  if (type.dtype == DType::kFloat16) {
    to_half(reals.data(), reals.size(), reinterpret_cast<std::uint16_t*>(tensor.data));
    return {};
  }
  if (!type.quant) return invalid("input '" + type.name + "' has no real numbers");
  const auto channels = pixels::channel_view(type.shape, *type.quant);
  return pixels::quantize_linear(in, DType::kFloat32, channels, *type.quant, type.dtype, tensor.data)
      .status();
}

Result<std::vector<float>> read_reals(const Tensor& tensor) {
  const TensorType& type = *tensor.type;
  std::vector<float> out(count_of(tensor));
  if (type.dtype == DType::kFloat32) {
    std::memcpy(out.data(), tensor.data, tensor.bytes);
  } else if (type.dtype == DType::kFloat16) {
    from_half(reinterpret_cast<const std::uint16_t*>(tensor.data), out.size(), out.data());
  } else if (type.quant) {
    SLUICE_RETURN_IF_ERROR(pixels::dequantize_linear(
        tensor.data, type.dtype, pixels::channel_view(type.shape, *type.quant), *type.quant, out.data()));
  } else {
    return invalid("output '" + type.name + "' has no real numbers");
  }
  return out;
}

// Inputs and outputs of one session.
struct Run {
  std::vector<Tensor> inputs, outputs;
  static Result<Run> of(const SharedSession& session) {
    Run out;
    SLUICE_ASSIGN(out.inputs, zero_tensors(session.signature().inputs));
    SLUICE_ASSIGN(out.outputs, zero_tensors(session.signature().outputs));
    return out;
  }
  Status run(const SessionHandle& session, TimeNs timeout) {
    std::vector<const Tensor*> in;
    std::vector<Tensor*> out;
    in.reserve(inputs.size());
    out.reserve(outputs.size());
    for (const Tensor& tensor : inputs) in.push_back(&tensor);
    for (Tensor& tensor : outputs) out.push_back(&tensor);
    return SharedSession::run(session, in, out, {.timeout = timeout});
  }
};

// Numbers that the input can hold.
std::vector<float> noise(const TensorType& type, std::size_t count, Random& random) {
  double low = -1, high = 1;
  if (type.quant && type.quant->per_tensor() && is_integer(type.dtype)) {
    const double steps = size_of(type.dtype) == 1 ? 255 : 65535;
    const bool is_signed = type.dtype == DType::kInt8 || type.dtype == DType::kInt16;
    const double least = is_signed ? -(steps + 1) / 2 : 0;
    low = (least - type.quant->zero_point[0]) * static_cast<double>(type.quant->scale[0]);
    high = low + steps * static_cast<double>(type.quant->scale[0]);
  }
  std::vector<float> out(count);
  for (float& value : out) value = static_cast<float>(low + (high - low) * random.uniform());
  return out;
}

Result<double> measure_snr(const SessionHandle& session, const SessionHandle& reference, TimeNs timeout) {
  SLUICE_ASSIGN(Run judged, Run::of(*session));
  SLUICE_ASSIGN(Run truth, Run::of(*reference));
  if (judged.inputs.size() != truth.inputs.size() || judged.outputs.size() != truth.outputs.size())
    return invalid("it has other inputs or outputs");
  Random random(kNoiseSeed);
  std::vector<quantize::ErrorMeter> meters(judged.outputs.size());
  for (int sample = 0; sample < kAccuracySamples; ++sample) {
    for (std::size_t i = 0; i < judged.inputs.size(); ++i) {
      const std::vector<float> reals = noise(*judged.inputs[i].type, count_of(truth.inputs[i]), random);
      SLUICE_RETURN_IF_ERROR(write_reals(reals, judged.inputs[i]));
      SLUICE_RETURN_IF_ERROR(write_reals(reals, truth.inputs[i]));
    }
    SLUICE_RETURN_IF_ERROR(truth.run(reference, timeout));
    SLUICE_RETURN_IF_ERROR(judged.run(session, timeout));
    for (std::size_t o = 0; o < meters.size(); ++o) {
      SLUICE_ASSIGN(const std::vector<float> wanted, read_reals(truth.outputs[o]));
      SLUICE_ASSIGN(const std::vector<float> got, read_reals(judged.outputs[o]));
      if (wanted.size() != got.size()) return invalid("its outputs have another size");
      meters[o].add(wanted, got);
    }
  }
  double least = quantize::kMostSnr;
  for (const quantize::ErrorMeter& meter : meters) {
    if (meter.not_finite() > 0) return failed("it gives NaN or infinity");
    least = std::min(least, meter.snr_db());
  }
  return least;
}

}  // namespace

Result<ArtifactKey> WarmUp::key_of(std::string_view kind, const SharedSession& session) const {
  const SessionRequest& request = session.request();
  SLUICE_ASSIGN(const std::string hash, hash_of(request.model));
  Json options = Json::object();
  for (const auto& [name, value] : request.options) options[name] = to_json_value(value);
  Json dims = Json::object();
  for (const auto& [name, size] : request.model.dims) dims[name] = size;
  Backend* const backend = services_.backend(request.backend);
  ArtifactKey key(kind);
  key.add("model", hash)
      .add("dims", dims.dump())
      .add("backend", request.backend)
      .add("version", backend ? backend->version() : "")
      .add("options", options.dump())
      .add("batch", std::to_string(request.batch))
      .add("machine", machine());
  return key;
}

Result<Measured> WarmUp::times(const SessionHandle& session, std::string_view mode,
                               const MeasureRequest& request) {
  SLUICE_ASSIGN(ArtifactKey key, key_of("warm-up", *session));
  key.add("mode", mode);
  const auto text = cache_.load(key);
  const std::optional<Measured> known = text ? times_of(*text) : std::nullopt;
  if (text && !known) cache_.reject(key, "no times of a warm-up");
  if (known && known->median_ms > kSlowMs) {
    MeasureRequest few = request;
    few.runs = kComparedRuns;
    few.at_least = 0;
    SLUICE_ASSIGN(const Measured now, measure(session, services_.clock(), few));
    if (now.median_ms < known->median_ms * kAgrees && now.median_ms * kAgrees > known->median_ms)
      return Measured{known->median_ms, known->p95_ms, now.first_ms, known->least_ms};
    log_message(LogLevel::kDebug,
                fmt::format("{} on '{}' takes {:.2f} ms now and took {:.2f} ms: measured anew",
                            describe(session->request().model), session->request().backend, now.median_ms,
                            known->median_ms));
  }
  SLUICE_ASSIGN(const Measured measured, measure(session, services_.clock(), request));
  const bool calm = measured.median_ms < measured.least_ms * kAgrees;
  if (calm) cache_.store(key, to_text(measured));
  return measured;
}

Result<double> WarmUp::snr_db(const SessionHandle& session, const SessionHandle& reference, TimeNs timeout) {
  SLUICE_ASSIGN(ArtifactKey key, key_of("accuracy", *session));
  SLUICE_ASSIGN(const std::string against, hash_of(reference->request().model));
  key.add("reference", against).add("on", reference->request().backend);
  if (const auto text = cache_.load(key)) {
    const auto known = kept(read_json<Json>(*text), "snr_db", -quantize::kMostSnr, quantize::kMostSnr);
    if (known) return *known;
    cache_.reject(key, "no accuracy");
  }
  SLUICE_ASSIGN(const double snr, measure_snr(session, reference, timeout));
  cache_.store(key, Json{{"snr_db", snr}}.dump());
  return snr;
}

}  // namespace sluice
