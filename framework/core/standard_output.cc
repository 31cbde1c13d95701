#include "framework/core/standard_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

namespace sluice {

std::shared_mutex& standard_output_gate() {
  static std::shared_mutex gate;
  return gate;
}

StandardOutputAside::StandardOutputAside() : lock_(standard_output_gate()) {
  std::fflush(stdout);  // what we printed so far is a result
  saved_ = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (saved_ >= 0) ::dup2(STDERR_FILENO, STDOUT_FILENO);
}

StandardOutputAside::~StandardOutputAside() {
  if (saved_ < 0) return;
  std::fflush(stdout);  // and what was printed since is none
  ::dup2(saved_, STDOUT_FILENO);
  ::close(saved_);
}

}  // namespace sluice
