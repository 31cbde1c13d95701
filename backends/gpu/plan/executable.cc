#include "backends/gpu/plan/executable.h"

#include <algorithm>
#include <limits>
#include <map>

#include "backends/gpu/ep/plugin.h"
#include "backends/gpu/plan/memory.h"

namespace sluice::gpu {
namespace {

// Work items per group along the first axis. A constant per kind of device: each further size is another
// compilation for drivers that specialise on it.
std::size_t group_size(const DeviceInfo& device) {
  const std::size_t wanted = device.is_cpu() ? 16 : 64;
  return std::min(wanted, device.max_work_group);
}

// Groups that are not larger than the work along either axis. Few for CPUs, where each is a compilation.
std::vector<std::array<std::size_t, 2>> groups_to_try(const DeviceInfo& device,
                                                      const std::array<std::size_t, 3>& global) {
  const std::vector<std::array<std::size_t, 2>> all =
      device.is_cpu() ? std::vector<std::array<std::size_t, 2>>{{16, 1}, {4, 1}, {64, 1}}
                      : std::vector<std::array<std::size_t, 2>>{{64, 1}, {16, 1}, {32, 1}, {128, 1}, {256, 1},
                                                                {8, 4},  {16, 4}, {32, 2}, {32, 4}};
  std::vector<std::array<std::size_t, 2>> out;
  for (const auto& group : all) {
    const bool fits = group[0] * group[1] <= device.max_work_group && global[1] % group[1] == 0;
    if (fits && (out.empty() || group[0] < 2 * global[0])) out.push_back(group);
  }
  if (out.empty()) out.push_back({group_size(device), 1});
  return out;
}

}  // namespace

Result<std::unique_ptr<Executable>> Executable::create(std::shared_ptr<Context> context, Recipe recipe,
                                                       bool profiling) {
  std::unique_ptr<Executable> out(new Executable(std::move(context), std::move(recipe), profiling));
  SLUICE_ASSIGN(out->queue_, out->context_->queue(profiling));
  SLUICE_RETURN_IF_ERROR(out->place_slots());
  for (const Launch& launch : out->recipe_.launches)
    SLUICE_RETURN_IF_ERROR(out->bind(launch).with_context(launch.kernel + ": "));
  out->facts_.kernels = static_cast<int>(out->steps_.size());
  for (const Edge& edge : out->recipe_.inputs) out->facts_.bytes_in += edge.bytes;
  for (const Edge& edge : out->recipe_.outputs) out->facts_.bytes_out += edge.bytes;
  for (Slot& slot : out->recipe_.slots) slot.constant = {};  // they are on the device now
  return out;
}

Executable::~Executable() {
  steps_.clear();
  while (!buffers_.empty()) buffers_.pop_back();
}

Status Executable::place_slots() {
  const MemoryPlan plan = plan_memory(recipe_, context_->device().base_alignment);
  facts_.arena = plan.arena;
  facts_.unshared = plan.unshared;
  if (plan.arena > 0) {
    SLUICE_ASSIGN(arena_,
                  context_->buffer(plan.arena, CL_MEM_READ_WRITE, nullptr, "the model's activations"));
  }
  for (std::size_t i = 0; i < recipe_.slots.size(); ++i) {
    const Slot& slot = recipe_.slots[i];
    const bool constant = !slot.constant.empty();
    if (!constant && plan.offsets[i] + slot.bytes > plan.arena) {  // no launch touches it
      views_.push_back(nullptr);
      continue;
    }
    if (constant) facts_.constants += slot.bytes;
    auto buffer = constant ? context_->buffer(slot.bytes, CL_MEM_READ_ONLY, slot.constant.data(), "weights")
                           : context_->part(arena_, plan.offsets[i], slot.bytes);
    SLUICE_RETURN_IF_ERROR(buffer.status());
    views_.push_back(buffer->get());
    buffers_.push_back(std::move(*buffer));
  }
  return {};
}

Status Executable::bind(const Launch& launch) {
  const Api& api = context_->api();
  Step step;
  SLUICE_ASSIGN(step.kernel, context_->kernel(launch.unit, launch.kernel, {recipe_.half, launch.lanes}));
  for (std::size_t i = 0; i < launch.arguments.size(); ++i) {
    const auto set = [&](std::size_t size, const void* value) {
      return context_->checked(api.clSetKernelArg(step.kernel.get(), static_cast<cl_uint>(i), size, value),
                               "clSetKernelArg");
    };
    const Status status = std::visit(
        [&](const auto& argument) {
          using T = std::decay_t<decltype(argument)>;
          if constexpr (std::is_same_v<T, Reads> || std::is_same_v<T, Writes>) {
            const cl_mem view = memory(argument.slot);
            return set(sizeof view, &view);
          } else {
            return set(sizeof argument, &argument);
          }
        },
        launch.arguments[i]);
    SLUICE_RETURN_IF_ERROR(status);
  }
  steps_.push_back(std::move(step));
  set_group(steps_.size() - 1, launch.group);
  return {};
}

void Executable::set_group(std::size_t index, std::array<std::size_t, 2> group) {
  if (group[0] == 0 || group[0] * group[1] > context_->device().max_work_group)
    group = {group_size(context_->device()), 1};
  Step& step = steps_[index];
  step.local = {group[0], group[1], 1};
  step.global = recipe_.launches[index].global;
  step.global[0] = (step.global[0] + group[0] - 1) / group[0] * group[0];
}

// The best of a few runs, after one that lets the driver finish compiling.
Result<double> Executable::time_of(std::size_t index) {
  constexpr int kRuns = 4;
  double best = std::numeric_limits<double>::infinity();
  SLUICE_RETURN_IF_ERROR(enqueue_profiled(index));
  for (int run = 0; run < kRuns; ++run) {
    const double before = steps_[index].us;
    SLUICE_RETURN_IF_ERROR(enqueue_profiled(index));
    best = std::min(best, steps_[index].us - before);
  }
  return best;
}

Result<std::vector<std::array<std::size_t, 2>>> Executable::tune(double& us) {
  const std::lock_guard lock(mutex_);
  std::vector<std::array<std::size_t, 2>> out;
  us = 0;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    double best = std::numeric_limits<double>::infinity();
    std::array<std::size_t, 2> fastest{group_size(context_->device()), 1};
    for (const auto& group : groups_to_try(context_->device(), recipe_.launches[i].global)) {
      set_group(i, group);
      const Result<double> took = time_of(i);
      if (!took.ok() && context_->lost()) return took.status();
      if (!took.ok() || *took >= best) continue;  // a size that this kernel's registers do not allow
      best = *took;
      fastest = group;
    }
    set_group(i, fastest);
    out.push_back(fastest);
    us += best;
  }
  return out;
}

Status Executable::run(std::span<const void* const> inputs, std::span<void* const> outputs) {
  const std::lock_guard lock(mutex_);
  if (context_->lost()) return unavailable(kDeviceLost);
  Status status = enqueue(inputs, outputs);
  if (status.ok()) return status;
  // The caller's memory must not be touched after we return.
  if (!context_->lost()) {
    const Status finished = context_->checked(context_->api().clFinish(queue_.get()), "clFinish");
    if (!finished.ok() && context_->lost()) return finished;
  }
  return status;
}

Status Executable::enqueue(std::span<const void* const> inputs, std::span<void* const> outputs) {
  const Api& api = context_->api();
  for (std::size_t i = 0; i < inputs.size(); ++i)
    SLUICE_RETURN_IF_ERROR(
        context_->checked(api.clEnqueueWriteBuffer(queue_.get(), memory(recipe_.inputs[i].slot), CL_FALSE, 0,
                                                   recipe_.inputs[i].bytes, inputs[i], 0, nullptr, nullptr),
                          "clEnqueueWriteBuffer"));
  SLUICE_RETURN_IF_ERROR(enqueue_kernels());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const cl_bool blocking =
        i + 1 == outputs.size() ? CL_TRUE : CL_FALSE;  // in order: the last one waits for all
    SLUICE_RETURN_IF_ERROR(
        context_->checked(api.clEnqueueReadBuffer(queue_.get(), memory(recipe_.outputs[i].slot), blocking, 0,
                                                  recipe_.outputs[i].bytes, outputs[i], 0, nullptr, nullptr),
                          "clEnqueueReadBuffer"));
  }
  return {};
}

Status Executable::enqueue_kernels() {
  const Api& api = context_->api();
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (profiling_) {
      SLUICE_RETURN_IF_ERROR(enqueue_profiled(i));
      continue;
    }
    const Step& step = steps_[i];
    const cl_int error =
        api.clEnqueueNDRangeKernel(queue_.get(), step.kernel.get(), 3, nullptr, step.global.data(),
                                   step.local.data(), 0, nullptr, nullptr);
    if (error != CL_SUCCESS)
      return context_->checked(error, "clEnqueueNDRangeKernel of '" + recipe_.launches[i].kernel + "'");
  }
  return {};
}

// One command at a time: its own time, not the queue's.
Status Executable::enqueue_profiled(std::size_t index) {
  const Api& api = context_->api();
  Step& step = steps_[index];
  cl_event raw = nullptr;
  SLUICE_RETURN_IF_ERROR(
      context_->checked(api.clEnqueueNDRangeKernel(queue_.get(), step.kernel.get(), 3, nullptr,
                                                   step.global.data(), step.local.data(), 0, nullptr, &raw),
                        "clEnqueueNDRangeKernel of '" + recipe_.launches[index].kernel + "'"));
  const Event event(api, raw);
  SLUICE_RETURN_IF_ERROR(context_->checked(api.clFinish(queue_.get()), "clFinish"));
  cl_ulong start = 0;
  cl_ulong end = 0;
  SLUICE_RETURN_IF_ERROR(context_->checked(
      api.clGetEventProfilingInfo(event.get(), CL_PROFILING_COMMAND_START, sizeof start, &start, nullptr),
      "clGetEventProfilingInfo"));
  SLUICE_RETURN_IF_ERROR(context_->checked(
      api.clGetEventProfilingInfo(event.get(), CL_PROFILING_COMMAND_END, sizeof end, &end, nullptr),
      "clGetEventProfilingInfo"));
  step.us += static_cast<double>(end - start) / 1e3;
  return {};
}

std::vector<KernelTime> Executable::profile() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, KernelTime> by_name;
  for (std::size_t i = 0; i < steps_.size() && profiling_; ++i) {
    KernelTime& entry = by_name[recipe_.launches[i].kernel];
    entry.kernel = recipe_.launches[i].kernel;
    entry.us += steps_[i].us;
    ++entry.launches;
  }
  std::vector<KernelTime> out;
  for (auto& [name, entry] : by_name) out.push_back(std::move(entry));
  std::ranges::sort(out, std::greater{}, &KernelTime::us);
  return out;
}

}  // namespace sluice::gpu
