// A bar for work whose steps are counted.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace sluice::cli {

// "statistics [#########           ] 9/20", or "statistics 9" while the total is not known.
std::string bar_text(const std::string& label, std::size_t done, std::optional<std::size_t> total);

// Rewrites its line in place on stderr when that is a terminal; else nothing is ever written.
class ProgressBar {
 public:
  explicit ProgressBar(std::string label);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  void show(std::size_t done, std::optional<std::size_t> total);
  void clear();

 private:
  const std::string label_;
  const bool active_;
  bool shown_ = false;
};

}  // namespace sluice::cli
