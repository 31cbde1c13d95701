#include "framework/core/standard_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <utility>

namespace sluice {

std::shared_mutex& standard_output_gate() {
  static std::shared_mutex gate;
  return gate;
}

StandardOutputAside::StandardOutputAside() : lock_(standard_output_gate()) {
  std::fflush(stdout);  // what we printed so far is a result
  saved_ = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (saved_ < 0) return;
  std::array<int, 2> ends{};
  // Neither end blocks: nobody reads while the other side writes.
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    return;
  }
  ::dup2(ends[1], STDOUT_FILENO);
  ::close(ends[1]);
  read_ = ends[0];
}

std::string StandardOutputAside::take() {
  std::string out;
  if (saved_ < 0) return out;
  std::fflush(stdout);  // and what was printed since is none
  ::dup2(saved_, STDOUT_FILENO);
  ::close(std::exchange(saved_, -1));
  if (read_ < 0) return out;
  std::array<char, 4096> block{};
  for (ssize_t n = 0; (n = ::read(read_, block.data(), block.size())) > 0;)
    out.append(block.data(), static_cast<std::size_t>(n));
  ::close(read_);
  return out;
}

StandardOutputAside::~StandardOutputAside() { take(); }

}  // namespace sluice
