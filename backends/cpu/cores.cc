#include "backends/cpu/cores.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>

namespace sluice {
namespace {

long read_number(const std::string& path) {
  std::ifstream file(path);
  long value = 0;
  return file >> value ? value : 0;
}

std::vector<int> numbers(const std::vector<Core>& cores) {
  std::vector<int> out;
  out.reserve(cores.size());
  for (const Core& core : cores) out.push_back(core.number);
  return out;
}

std::vector<int> big_ones(const std::vector<Core>& cores) {
  long most = 0;
  for (const Core& core : cores) most = std::max(most, core.capacity);
  std::vector<int> out;
  for (const Core& core : cores)
    if (core.capacity == most) out.push_back(core.number);
  return out;
}

bool parse_number(std::string_view text, int& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0;
}

Status wrong(std::string_view choice, const std::vector<Core>& cores) {
  std::string there;
  for (const Core& core : cores) there += (there.empty() ? "" : ",") + std::to_string(core.number);
  return invalid("option 'cpu.cores' is '" + std::string(choice) +
                 "', allowed: auto, big, all, or a list of the cores " + there + " such as '0,1' or '0-1'");
}

}  // namespace

CoreBinding::CoreBinding(const std::vector<int>& cores) : CoreBinding() {
  for (const int core : cores) CPU_SET(static_cast<std::size_t>(core), &cores_);
}

void CoreBinding::enter() const {
  thread_local bool bound = false;
  thread_local cpu_set_t before, now;
  if (CPU_COUNT(&cores_) == 0) {
    if (bound) ::sched_setaffinity(0, sizeof before, &before);
    bound = false;
    return;
  }
  if (bound && CPU_EQUAL(&now, &cores_)) return;
  if (!bound && ::sched_getaffinity(0, sizeof before, &before) != 0) return;
  // A core that was taken away meanwhile: the run goes on where the kernel lets it.
  if (::sched_setaffinity(0, sizeof cores_, &cores_) != 0) return;
  now = cores_;
  bound = true;
}

std::vector<Core> read_cores(const std::string& root) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  std::vector<Core> out;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return out;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (!CPU_ISSET(i, &allowed)) continue;
    const std::string folder = root + "/cpu" + std::to_string(i);
    long capacity = read_number(folder + "/cpu_capacity");
    if (capacity == 0) capacity = read_number(folder + "/cpufreq/cpuinfo_max_freq");
    out.push_back({i, capacity});
  }
  return out;
}

Result<std::vector<int>> choose_cores(std::string_view choice, const std::vector<Core>& cores) {
  if (choice == "all") return numbers(cores);
  if (choice == "big" || choice == "auto") return big_ones(cores);
  std::vector<int> out;
  while (!choice.empty()) {
    const std::string_view whole = choice;
    const std::string_view part = choice.substr(0, choice.find(','));
    choice.remove_prefix(std::min(choice.size(), part.size() + 1));
    const std::size_t dash = part.find('-');
    int first = 0, last = 0;
    if (!parse_number(part.substr(0, dash), first)) return wrong(whole, cores);
    if (dash == std::string_view::npos)
      last = first;
    else if (!parse_number(part.substr(dash + 1), last))
      return wrong(whole, cores);
    if (last < first || last - first > CPU_SETSIZE) return wrong(whole, cores);
    for (int n = first; n <= last; ++n) {
      if (std::ranges::none_of(cores, [n](const Core& core) { return core.number == n; }))
        return wrong(whole, cores);
      out.push_back(n);
    }
  }
  if (out.empty()) return wrong(choice, cores);
  return out;
}

}  // namespace sluice
