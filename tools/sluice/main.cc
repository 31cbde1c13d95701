#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <thread>
#include <variant>

#include "backends/backends.h"
#include "inference/lost_threads.h"
#include "tools/sluice/arguments.h"
#include "tools/sluice/commands.h"
#include "tools/sluice/out_of_memory.h"
#include "tools/sluice/output.h"

namespace {

// A standard stream that the caller closed would give its number to the next file that is opened, and results
// would land in there. Held by a file that refuses to be used, it fails as the closed one does.
void hold_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) != -1 || errno != EBADF) continue;
    (void)::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);  // takes the lowest free number
  }
}

// glibc makes up to eight arenas per core, and what one thread has freed in its own no other one uses: a
// file's decoder, which each worker steps in turn, then has its tables in several. With two cores: 3 MB of
// 102 (face_fast), as fast as before.
void share_heaps() {
  const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
  ::mallopt(M_ARENA_MAX, static_cast<int>(cores));
}

// A run that was given up goes on in its library, which crashes where its statics are destroyed under it.
int leave(int code) {
  if (sluice::lost_threads() == 0) return code;
  std::fflush(nullptr);
  std::_Exit(code);
}

}  // namespace

int main(int argc, char** argv) {
  namespace cli = sluice::cli;
  hold_closed_streams();
  share_heaps();
  cli::end_in_words_without_memory();
  // A reader of stdout that went away is a failed write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // and so is a file that may not grow further
  sluice::register_model_formats();
  try {
    const auto parsed = cli::parse_arguments(argc, argv);
    if (const int* const code = std::get_if<int>(&parsed)) return *code;
    return leave(std::visit([](const auto& arguments) { return cli::execute(arguments); },
                            std::get<cli::Arguments>(parsed)));
  } catch (const std::bad_alloc&) {
    cli::print_error("out of memory");
    return cli::kRunFailed;
  } catch (const std::exception& error) {
    cli::print_error(error.what());
    return cli::kRunFailed;
  }
}
