#include "tools/sluice/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace sluice::cli {

std::string bar_text(const std::string& label, std::size_t done, std::optional<std::size_t> total) {
  constexpr std::size_t kWidth = 20;
  if (!total || *total == 0) return label + " " + std::to_string(done);
  const std::size_t filled = std::min(done, *total) * kWidth / *total;
  return label + " [" + std::string(filled, '#') + std::string(kWidth - filled, ' ') + "] " +
         std::to_string(done) + "/" + std::to_string(*total);
}

ProgressBar::ProgressBar(std::string label)
    : label_(std::move(label)), active_(::isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() { clear(); }

void ProgressBar::clear() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
  shown_ = false;
}

void ProgressBar::show(std::size_t done, std::optional<std::size_t> total) {
  if (!active_) return;
  shown_ = true;
  std::fputs(("\r\x1b[K" + bar_text(label_, done, total)).c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace sluice::cli
