#include "tools/sluice/interrupts.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <system_error>
#include <utility>

#include "framework/core/temporary_folder.h"
#include "tools/sluice/output.h"

namespace sluice::cli {
namespace {

constexpr TimeNs kOneInterrupt = from_ms(100);

// False under nohup, which must still hold.
bool hangups_count() {
  struct sigaction now{};
  return ::sigaction(SIGHUP, nullptr, &now) == 0 && now.sa_handler != SIG_IGN;
}

sigset_t awaited() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  if (hangups_count()) sigaddset(&set, SIGHUP);
  return set;
}

int checked(int fd) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "waiting for signals");
  return fd;
}

}  // namespace

TimeNs Interrupts::steady_time() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Interrupts::Interrupts(std::function<TimeNs()> now) : now_(std::move(now)) {
  const sigset_t set = awaited();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal_fd_ = checked(::signalfd(-1, &set, SFD_CLOEXEC));
  end_fd_ = checked(::eventfd(0, EFD_CLOEXEC));
  thread_ = std::thread(&Interrupts::wait_for_signals, this);
}

Interrupts::~Interrupts() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(end_fd_, &one, sizeof one);
  thread_.join();
  ::close(signal_fd_);
  ::close(end_fd_);
}

void Interrupts::on_first(std::function<void()> action) {
  const std::lock_guard lock(mutex_);
  action_ = std::move(action);
  if (interrupted_ && action_) std::exchange(action_, nullptr)();
}

bool Interrupts::interrupted() const {
  const std::lock_guard lock(mutex_);
  return interrupted_;
}

void Interrupts::wait_for_signals() {
  for (;;) {
    std::array<pollfd, 2> ready = {{{signal_fd_, POLLIN, 0}, {end_fd_, POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), -1) < 0) continue;
    if (ready[1].revents != 0) return;
    signalfd_siginfo info{};
    if (::read(signal_fd_, &info, sizeof info) != sizeof info) continue;
    take(info.ssi_signo);
  }
}

void Interrupts::take(unsigned signal) {
  const std::lock_guard lock(mutex_);
  if (!std::exchange(interrupted_, true)) {
    if (action_) std::exchange(action_, nullptr)();
    first_ = now_();  // after what took time, in which the same interrupt may have come again
    return;
  }
  // A terminal that closes may say so twice, and a shutdown after its SIGTERM.
  if (signal != SIGHUP && now_() - first_ > kOneInterrupt) end_without_temporaries(kInterrupted);
}

}  // namespace sluice::cli
