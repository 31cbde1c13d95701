#include "tools/sluice/out_of_memory.h"

#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <new>
#include <string_view>

#include "framework/core/temporary_folder.h"
#include "tools/sluice/output.h"

namespace sluice::cli {
namespace {

std::terminate_handler before = nullptr;
thread_local bool an_allocation_failed = false;

void note_and_throw() {
  an_allocation_failed = true;
  throw std::bad_alloc();
}

// An exception that meets a function that must not throw only on its way out is not told to the handler.
bool is_lack_of_memory() {
  if (an_allocation_failed) return true;
  const std::exception_ptr current = std::current_exception();
  if (!current) return false;
  try {
    std::rethrow_exception(current);
  } catch (const std::bad_alloc&) {
    return true;
  } catch (...) {
    return false;
  }
}

[[noreturn]] void terminate() {
  if (is_lack_of_memory()) {
    // Without print_error: that allocates.
    constexpr std::string_view kWords =
        "sluice: error: out of memory, inside a library that cannot go on without it; the program ends "
        "here\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kWords.data(), kWords.size());
    end_without_temporaries(kRunFailed);
  }
  before();
  std::abort();
}

}  // namespace

void end_in_words_without_memory() {
  std::set_new_handler(note_and_throw);
  before = std::set_terminate(terminate);
}

}  // namespace sluice::cli
