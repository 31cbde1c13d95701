// What the inference tests share: a scratch folder, models, tensors with memory of their own, a clock driven
// by hand.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "framework/core/clock.h"
#include "framework/core/packet.h"
#include "inference/inference.h"
#include "tests/inference/onnx_builder.h"

namespace sluice::testing {

// A folder that goes with the test.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice_inference_XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

inline ModelRequest request_for(const std::string& path) {
  return {.name = "m", .variant = {}, .path = path, .sha256 = {}, .dims = {}};
}

// What tools/dev setup fetched.
inline std::string fetched_model(const std::string& name) {
  const char* cache = std::getenv("SLUICE_CACHE");
  const char* home = std::getenv("HOME");
  return (cache ? std::string(cache) : std::string(home ? home : "") + "/.cache/sluice") + "/models/" + name;
}

// A tensor of the given type with its own memory.
class OwnTensor {
 public:
  explicit OwnTensor(TensorType type) {
    memory_.resize(byte_size(type.dtype, type.shape).value());
    tensor.type = std::make_shared<const TensorType>(std::move(type));
    tensor.data = memory_.data();
    tensor.bytes = memory_.size();
  }
  OwnTensor(OwnTensor&&) = default;
  template <typename T>
  std::vector<T> values() const {
    std::vector<T> out(tensor.bytes / sizeof(T));
    std::memcpy(out.data(), tensor.data, tensor.bytes);
    return out;
  }
  template <typename T>
  OwnTensor& set(const std::vector<T>& values) {
    std::memcpy(tensor.data, values.data(), tensor.bytes);
    return *this;
  }
  Tensor tensor;

 private:
  std::vector<std::byte> memory_;
};

// All inputs and outputs of a session, one item each.
struct RunTensors {
  explicit RunTensors(const ModelSignature& signature) {
    for (const TensorType& type : signature.inputs) inputs.emplace_back(type);
    for (const TensorType& type : signature.outputs) outputs.emplace_back(type);
    for (const OwnTensor& input : inputs) in.push_back(&input.tensor);
    for (OwnTensor& output : outputs) out.push_back(&output.tensor);
  }
  std::vector<OwnTensor> inputs, outputs;
  std::vector<const Tensor*> in;
  std::vector<Tensor*> out;
};

// Stands still until the test moves it, like ManualClock, but threads may wait for it: they are the test's to
// wake.
class SteppedClock final : public Clock {
 public:
  TimeNs now() const override { return clock_.now(); }
  TimerId at(TimeNs due, TimerKey key, std::function<void()> callback) override {
    return clock_.at(due, key, std::move(callback));
  }
  void cancel(TimerId id) override { clock_.cancel(id); }
  bool sleep_until(TimeNs due, const std::function<bool()>& woken) override {
    sleepers_.fetch_add(1);
    const bool result = clock_.sleep_until(due, woken);
    sleepers_.fetch_sub(1);
    return result;
  }
  void interrupt() override { clock_.interrupt(); }
  void advance(TimeNs by) { clock_.advance_to(clock_.now() + by); }
  int sleepers() const { return sleepers_.load(); }
  // Lets the other threads run until so many wait.
  void await_sleepers(int count) const {
    while (sleepers_.load() < count) std::this_thread::yield();
  }

 private:
  ManualClock clock_;
  std::atomic<int> sleepers_{0};
};

}  // namespace sluice::testing
