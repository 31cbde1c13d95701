#include "backends/gpu/plan/executable.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "backends/gpu/device/counters.h"
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
std::vector<std::array<std::size_t, 2>> groups_to_try(const DeviceInfo& device, const Launch& launch) {
  if (launch.group_fixed) return {launch.group};
  const auto& global = launch.global;
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
  out->find_ties();
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
  const std::size_t items = launch.group[0] * launch.group[1];
  if (launch.group_fixed && items > context_->device().max_work_group)
    return unavailable("needs groups of " + std::to_string(items) + " work items, device '" +
                       context_->device().name + "' allows " +
                       std::to_string(context_->device().max_work_group) + ": the model cannot run there");
  Step step;
  const Variant variant{launch.half_in, launch.half_out, launch.half_weights, launch.lanes};
  SLUICE_ASSIGN(step.kernel, context_->kernel(launch.unit, launch.kernel, variant));
  for (std::size_t i = 0; i < launch.arguments.size(); ++i) {
    const auto number = static_cast<cl_uint>(i);
    const Status status = std::visit(
        [&](const auto& argument) {
          using T = std::decay_t<decltype(argument)>;
          if constexpr (std::is_same_v<T, Reads> || std::is_same_v<T, Writes>) {
            return context_->set_memory(step.kernel, number, memory(argument.slot));
          } else if constexpr (std::is_same_v<T, Local>) {
            return context_->checked(api.clSetKernelArg(step.kernel.get(), number, argument.bytes, nullptr),
                                     "clSetKernelArg");
          } else {
            return context_->checked(
                api.clSetKernelArg(step.kernel.get(), number, sizeof argument, &argument), "clSetKernelArg");
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
    const auto groups = groups_to_try(context_->device(), recipe_.launches[i]);
    std::array<std::size_t, 2> fastest = groups.front();
    Status refused;
    for (const auto& group : groups) {
      set_group(i, group);
      const Result<double> took = time_of(i);
      if (!took.ok()) refused = took.status();
      if (context_->lost()) return refused;
      if (!took.ok() || *took >= best) continue;  // a size that this kernel's registers do not allow
      best = *took;
      fastest = group;
    }
    if (std::isinf(best)) return refused.with_context("no size of its groups runs: ");
    set_group(i, fastest);
    out.push_back(fastest);
    us += best;
  }
  return out;
}

void Executable::find_ties() {
  for (const Edge& edge : recipe_.inputs) input_ties_.push_back(tie_of(edge, false));
  for (const Edge& edge : recipe_.outputs) output_ties_.push_back(tie_of(edge, true));
}

// Where a tensor may lie in the caller's memory: kernels touch whole slots, so it must fill its own; an input
// is never written; and nobody else stands for the same slot.
Executable::Tie Executable::tie_of(const Edge& edge, bool output) const {
  const Slot& slot = recipe_.slots[static_cast<std::size_t>(edge.slot)];
  const auto same = [&](const Edge& other) { return other.slot == edge.slot; };
  const auto sharers =
      std::ranges::count_if(recipe_.inputs, same) + std::ranges::count_if(recipe_.outputs, same);
  Tie tie;
  if (profiling_ || sharers != 1 || edge.bytes != slot.bytes || !slot.constant.empty()) return tie;
  for (std::size_t i = 0; i < recipe_.launches.size(); ++i) {
    const auto& arguments = recipe_.launches[i].arguments;
    for (std::size_t a = 0; a < arguments.size(); ++a) {
      const auto* reads = std::get_if<Reads>(&arguments[a]);
      const auto* writes = std::get_if<Writes>(&arguments[a]);
      const bool written = writes && writes->slot == edge.slot;
      if (written && !output) return {};  // copied
      if (written || (reads && reads->slot == edge.slot)) tie.uses.push_back({i, static_cast<cl_uint>(a)});
    }
  }
  tie.copied = tie.uses.empty();
  return tie;
}

Status Executable::point(const Tie& tie, cl_mem memory) {
  for (const Tie::Use& use : tie.uses)
    SLUICE_RETURN_IF_ERROR(context_->set_memory(steps_[use.step].kernel, use.argument, memory));
  return {};
}

Status Executable::attach(Tie& tie, const Edge& edge, void* memory, cl_mem_flags flags) {
  if (!tie.copied && context_->can_import(memory)) {
    auto imported = context_->import(memory, edge.bytes, flags);
    if (imported.ok()) {
      tie.imported = std::move(*imported);
      tie.bound = true;
      return point(tie, tie.imported.get());
    }
    if (context_->lost()) return imported.status();
    tie.copied = true;
  }
  if (!tie.bound) return {};
  SLUICE_RETURN_IF_ERROR(point(tie, this->memory(edge.slot)));
  tie.bound = false;
  return {};
}

Status Executable::run(std::span<const void* const> inputs, std::span<void* const> outputs) {
  const std::lock_guard lock(mutex_);
  if (context_->lost()) return unavailable(kDeviceLost);
  Status status = enqueue(inputs, outputs);
  // The caller's memory must not be touched after we return.
  if (!status.ok() && !context_->lost()) {
    const Status finished = context_->checked(context_->api().clFinish(queue_.get()), "clFinish");
    if (!finished.ok() && context_->lost()) status = finished;
  }
  release_imports();
  return status;
}

void Executable::release_imports() {
  for (auto* ties : {&input_ties_, &output_ties_})
    for (Tie& tie : *ties) tie.imported = Buffer();
}

Status Executable::enqueue(std::span<const void* const> inputs, std::span<void* const> outputs) {
  SLUICE_RETURN_IF_ERROR(enqueue_inputs(inputs));
  for (std::size_t i = 0; i < outputs.size(); ++i)
    SLUICE_RETURN_IF_ERROR(attach(output_ties_[i], recipe_.outputs[i], outputs[i], CL_MEM_READ_WRITE));
  SLUICE_RETURN_IF_ERROR(enqueue_kernels());
  return enqueue_outputs(outputs);
}

Status Executable::enqueue_inputs(std::span<const void* const> inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Edge& edge = recipe_.inputs[i];
    SLUICE_RETURN_IF_ERROR(attach(input_ties_[i], edge, const_cast<void*>(inputs[i]), CL_MEM_READ_ONLY));
    if (input_ties_[i].imported) continue;
    counters().bytes_copied.fetch_add(edge.bytes, std::memory_order_relaxed);
    SLUICE_RETURN_IF_ERROR(
        context_->checked(context_->api().clEnqueueWriteBuffer(queue_.get(), memory(edge.slot), CL_FALSE, 0,
                                                               edge.bytes, inputs[i], 0, nullptr, nullptr),
                          "clEnqueueWriteBuffer"));
  }
  return {};
}

// Mapping it is what makes the device's writes visible to the host.
Status Executable::hand_over(const Tie& tie, const Edge& edge) {
  const Api& api = context_->api();
  cl_int error = CL_SUCCESS;
  void* mapped = api.clEnqueueMapBuffer(queue_.get(), tie.imported.get(), CL_FALSE, CL_MAP_READ, 0,
                                        edge.bytes, 0, nullptr, nullptr, &error);
  SLUICE_RETURN_IF_ERROR(context_->checked(error, "clEnqueueMapBuffer"));
  return context_->checked(
      api.clEnqueueUnmapMemObject(queue_.get(), tie.imported.get(), mapped, 0, nullptr, nullptr),
      "clEnqueueUnmapMemObject");
}

Status Executable::enqueue_outputs(std::span<void* const> outputs) {
  const Api& api = context_->api();
  const bool in_place = std::ranges::any_of(output_ties_, [](const Tie& tie) { return bool{tie.imported}; });
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Edge& edge = recipe_.outputs[i];
    if (output_ties_[i].imported) {
      SLUICE_RETURN_IF_ERROR(hand_over(output_ties_[i], edge));
      continue;
    }
    counters().bytes_copied.fetch_add(edge.bytes, std::memory_order_relaxed);
    // In order: the last one waits for all.
    const cl_bool blocking = !in_place && i + 1 == outputs.size() ? CL_TRUE : CL_FALSE;
    SLUICE_RETURN_IF_ERROR(
        context_->checked(api.clEnqueueReadBuffer(queue_.get(), memory(edge.slot), blocking, 0, edge.bytes,
                                                  outputs[i], 0, nullptr, nullptr),
                          "clEnqueueReadBuffer"));
  }
  return in_place ? context_->checked(api.clFinish(queue_.get()), "clFinish") : Status();
}

Status Executable::enqueue_kernels() {
  const Api& api = context_->api();
  if (profiling_) ++profiled_runs_;
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
  out.reserve(by_name.size());
  for (auto& [name, entry] : by_name) out.push_back(std::move(entry));
  std::ranges::sort(out, std::greater{}, &KernelTime::us);
  return out;
}

std::vector<NodeTime> Executable::node_times() const {
  const std::lock_guard lock(mutex_);
  std::vector<NodeTime> out;
  for (std::size_t i = 0; i < steps_.size() && profiled_runs_ > 0; ++i) {
    const std::string& node = recipe_.launches[i].node;
    auto entry = std::ranges::find(out, node, &NodeTime::node);
    if (entry == out.end()) entry = out.insert(out.end(), {node, 0});
    entry->us += steps_[i].us / profiled_runs_;
  }
  return out;
}

}  // namespace sluice::gpu
