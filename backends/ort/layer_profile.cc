#include "backends/ort/layer_profile.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "backends/ort/bindings.h"
#include "backends/ort/runtime.h"
#include "framework/core/temporary_folder.h"

namespace sluice::ort {
namespace {

namespace fs = std::filesystem;

// The values for one run; they view the callers' arrays.
Result<std::vector<Ort::Value>> values_for(const std::vector<std::string>& names,
                                           std::span<const NamedArray> inputs) {
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  std::vector<Ort::Value> out;
  for (const std::string& name : names) {
    const auto found = std::ranges::find(inputs, name, &NamedArray::name);
    if (found == inputs.end()) return invalid("there is no array for input '" + name + "'");
    const ArrayView& array = found->array;
    // ONNX Runtime does not write to its inputs.
    out.push_back(Ort::Value::CreateTensor(memory, const_cast<std::byte*>(array.data), array.bytes,
                                           array.shape.data(), array.shape.size(), element_of(array.dtype)));
  }
  return out;
}

std::vector<const char*> pointers(const std::vector<std::string>& names) {
  std::vector<const char*> out;
  out.reserve(names.size());
  for (const std::string& name : names) out.push_back(name.c_str());
  return out;
}

Result<std::string> run_profiled(Runtime& runtime, const std::string& path,
                                 std::span<const NamedArray> inputs, int runs, const fs::path& folder) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  options.EnableProfiling((folder / "profile").c_str());
  Ort::Session session(runtime.env(), path.c_str(), options);
  Ort::AllocatorWithDefaultOptions allocator;
  std::vector<std::string> input_names, output_names;
  for (std::size_t i = 0; i < session.GetInputCount(); ++i)
    input_names.emplace_back(session.GetInputNameAllocated(i, allocator).get());
  for (std::size_t i = 0; i < session.GetOutputCount(); ++i)
    output_names.emplace_back(session.GetOutputNameAllocated(i, allocator).get());
  SLUICE_ASSIGN(const auto values, values_for(input_names, inputs));
  const auto in = pointers(input_names), out = pointers(output_names);
  for (int i = 0; i < runs; ++i)
    session.Run(Ort::RunOptions{nullptr}, in.data(), values.data(), in.size(), out.data(), out.size());
  std::ifstream file(session.EndProfilingAllocated(allocator).get(), std::ios::binary);
  std::string profile{std::istreambuf_iterator<char>(file), {}};
  // The engine does not notice when it cannot write: its list has no end then.
  const std::size_t last = profile.find_last_not_of(" \n");
  if (last == std::string::npos || profile[last] != ']')
    return failed("there is no room for the profile in the folder for temporary files (TMPDIR)");
  return profile;
}

}  // namespace

Result<std::string> profile_layers(const std::string& path, std::span<const NamedArray> inputs, int runs) {
  SLUICE_ASSIGN(const auto runtime, Runtime::get());
  SLUICE_ASSIGN(const TemporaryFolder folder, TemporaryFolder::make("profile"));
  forget_warnings();
  try {
    return run_profiled(*runtime, path, inputs, runs, folder.path());
  } catch (const Ort::Exception& error) {
    return unavailable(explain(error.what()));
  }
}

}  // namespace sluice::ort
