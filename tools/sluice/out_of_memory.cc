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

bool is_lack_of_memory() {
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
        "sluice: error: out of memory, inside a library that cannot go on without it; nothing was finished\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kWords.data(), kWords.size());
    end_without_temporaries(kRunFailed);
  }
  before();
  std::abort();
}

}  // namespace

void end_in_words_without_memory() { before = std::set_terminate(terminate); }

}  // namespace sluice::cli
