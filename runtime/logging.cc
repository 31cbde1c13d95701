#include "runtime/logging.h"

#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <filesystem>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>

#include "framework/core/redact.h"
#include "framework/core/suggest.h"
#include "runtime/atomic_file.h"

namespace sluice {
namespace {

constexpr std::int64_t kLinesPerSecond = 20;
constexpr const char* kLeftOut = "{} more messages like these were left out";
constexpr std::array<std::string_view, 4> kNames = {"debug", "info", "warning", "error"};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// At most kLinesPerSecond lines in any second of the clock, per level.
class Limiter {
 public:
  struct Verdict {
    bool pass;
    std::int64_t left_out;  // in earlier seconds, to be said now
  };
  Verdict ask() {
    using std::chrono::steady_clock;
    const std::int64_t second =
        std::chrono::duration_cast<std::chrono::seconds>(steady_clock::now().time_since_epoch()).count();
    std::int64_t left_out = 0;
    if (second_.exchange(second) != second) {
      const std::int64_t lines = lines_.exchange(0);
      left_out = lines > kLinesPerSecond ? lines - kLinesPerSecond : 0;
    }
    return {lines_.fetch_add(1) < kLinesPerSecond, left_out};
  }
  // Not said yet.
  std::int64_t left_out() const { return std::max<std::int64_t>(0, lines_.load() - kLinesPerSecond); }

 private:
  std::atomic<std::int64_t> second_{0};
  std::atomic<std::int64_t> lines_{0};
};

// The first reason why a line could not be written. Any thread.
class FirstFailure {
 public:
  void add(const std::string& reason) {
    const std::lock_guard lock(mutex_);
    if (reason_.empty()) reason_ = reason;
  }
  std::string reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
  }

 private:
  mutable std::mutex mutex_;
  std::string reason_;
};

struct Sink {
  std::string file;  // empty: stderr
  std::function<std::string(std::string_view)> rewrite;
  std::shared_ptr<FirstFailure> failure = std::make_shared<FirstFailure>();
  std::shared_ptr<spdlog::async_logger> logger;
  // Declared behind the logger so that it goes first: its destructor joins the thread that may hold the
  // logger's last messages, and only then are the logger and its file destroyed.
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::array<Limiter, kNames.size()> limiters;
};

// Held by every call that writes, so that a thread that outlives the run (one that hangs in a library) finds
// none or a whole one. Never destroyed: such a thread may come after static objects are gone.
std::atomic<std::shared_ptr<Sink>>& current() {
  static auto* const kCurrent = new std::atomic<std::shared_ptr<Sink>>();
  return *kCurrent;
}

void write(LogLevel level, std::string_view message) {
  const std::shared_ptr<Sink> sink = current().load();
  const auto severity = to_spdlog(level);
  if (!sink || !sink->logger->should_log(severity)) return;
  const auto [pass, left_out] = sink->limiters[static_cast<std::size_t>(level)].ask();
  try {
    if (left_out > 0) sink->logger->log(severity, kLeftOut, left_out);
    if (pass) sink->logger->log(severity, "{}", redact_url(sink->rewrite ? sink->rewrite(message) : message));
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
    // A log that cannot be written must not stop a run.
  }
}

// What was lost and not said yet, written in this thread, behind all that was taken.
void say_losses(const Sink& last, std::size_t overrun) {
  spdlog::logger direct("sluice", last.logger->sinks().front());
  direct.set_level(last.logger->level());
  direct.set_error_handler([failure = last.failure](const std::string& reason) { failure->add(reason); });
  for (std::size_t i = 0; i < last.limiters.size(); ++i) {
    const std::int64_t left_out = last.limiters[i].left_out();
    if (left_out > 0) direct.log(to_spdlog(static_cast<LogLevel>(i)), kLeftOut, left_out);
  }
  if (overrun > 0)
    direct.log(direct.level(), "{} messages were lost: the log was not written fast enough", overrun);
  direct.flush();
}

// spdlog would make the folders that are missing; all other outputs are refused there.
Status check_folder(const std::string& file) {
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  std::error_code unknown;
  if (folder.empty() || std::filesystem::is_directory(folder, unknown)) return {};
  return failed("the log file " + path_in_quotes(file) + " cannot be opened: there is no folder " +
                path_in_quotes(folder.string()) + "; make it first, no frame has run");
}

// spdlog would wait for a pipe's reader, deaf to signals. Held until it has opened it, too: the reader of a
// pipe whose last writer closes is at its end.
class HeldPipe {
 public:
  explicit HeldPipe(const std::string& file) {
    std::error_code unknown;
    if (file.empty() || !std::filesystem::is_fifo(file, unknown)) return;
    const Result<int> opened = open_in_place(file);
    if (opened.ok()) file_ = *opened;
    status_ = opened.status().with_context("the log file: ");
  }
  ~HeldPipe() {
    if (file_ >= 0) ::close(file_);
  }
  HeldPipe(const HeldPipe&) = delete;
  const Status& status() const { return status_; }

 private:
  int file_ = -1;
  Status status_;
};

}  // namespace

std::optional<LogLevel> parse_log_level(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

Result<std::unique_ptr<Logging>> Logging::start(const LoggingOptions& options) {
  SLUICE_RETURN_IF_ERROR(check_folder(options.file));
  const HeldPipe pipe(options.file);
  SLUICE_RETURN_IF_ERROR(pipe.status());
  try {
    spdlog::sink_ptr out;
    if (options.file.empty()) {
      out = std::make_shared<spdlog::sinks::stderr_sink_mt>();
      out->set_pattern("sluice: %l: %v");
    } else {
      out = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
      out->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l: %v");
    }
    auto sink = std::make_shared<Sink>();
    sink->pool = std::make_shared<spdlog::details::thread_pool>(options.queue, 1);
    sink->logger = std::make_shared<spdlog::async_logger>("sluice", out, sink->pool,
                                                          spdlog::async_overflow_policy::overrun_oldest);
    sink->logger->set_level(to_spdlog(options.level));
    sink->logger->flush_on(spdlog::level::info);
    sink->file = options.file;
    sink->rewrite = options.rewrite;
    sink->logger->set_error_handler(
        [failure = sink->failure](const std::string& reason) { failure->add(reason); });
    current().store(std::move(sink));
  } catch (const std::exception& error) {
    return failed("the log file " + path_in_quotes(options.file) + " cannot be opened: " + error.what());
  }
  set_log_sink(&write);
  return std::unique_ptr<Logging>(new Logging());
}

Logging::~Logging() { [[maybe_unused]] const Status unheard = close(); }

Status Logging::close() {
  if (std::exchange(closed_, true)) return {};  // the log may be another's now
  const std::shared_ptr<Sink> last = current().exchange(nullptr);
  set_log_sink(nullptr);
  const std::size_t overrun = last->pool->overrun_counter();
  last->pool.reset();  // joins its thread, which has written everything then
  say_losses(*last, overrun);
  const std::string reason = last->failure->reason();
  if (last->file.empty() || reason.empty()) return {};  // nobody can be told on a stderr that is gone
  return failed("the log file " + path_in_quotes(last->file) + " could not take all messages: " + reason);
}

}  // namespace sluice
