// Pipeline: the public C++ API (contract section 7). Load a file or text, start it, wait for it, read its
// report.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "framework/core/status.h"
#include "framework/node/registry.h"
#include "framework/plan/plan.h"
#include "runtime/app_handles.h"
#include "runtime/report.h"

namespace sluice {

struct RunSnapshot;  // runtime/snapshot.h
class ValueRanges;

struct LoadOptions {
  // {"node.option", value}: over what the file says, through the same checks.
  std::vector<std::pair<std::string, std::string>> set;
  // Pace of files: "realtime", "max" or frames per second. What an application pushes is none.
  std::optional<std::string> pace;
};

struct RunOptions {
  std::optional<std::int64_t> frames;  // captures per source
  std::optional<double> duration_s;    // of the run's clock
  std::string trace;  // a path: writes what ran when, for Perfetto (Chrome trace format); not simulated
  int workers = 0;    // 0: one per core
  // Empty or "real": this machine. "sim:PROFILE": a simulated device (a shipped profile or a path) runs
  // instead; no node body runs, sources answer from their headers, sinks count but write nothing.
  // "trace:PATH": what the recording there ran on, with its readings and its decisions.
  std::string device;
  std::string timings;              // simulated: a report whose node times are used instead of the profile's
  std::optional<double> ambient_c;  // simulated; none: the profile's
  std::uint64_t seed = 1;           // simulated: of its noise
  double idle_before_s = 0;         // simulated: it idles until steady, at most this long
  double idle_after_s = 0;          // simulated: it idles on at the end
  // Called once a second of the run's clock, and as idle_after_s begins, by the thread inside `wait` or
  // `wait_for`.
  std::function<void()> every_second;
  // Gets the selector's part of a recording, line by line without line ends, from any thread, one at a time.
  std::function<void(const std::string& line)> record;
  ValueRanges* ranges =
      nullptr;  // gets what models read and write (inference/value_ranges.h); outlives the run
};

// Everything that validation found, for programs that show it line by line.
struct LoadIssues {
  std::string file;
  Issues issues;
  bool failed() const;
  // kUnavailable when a model is the problem, else kInvalid; ok without errors. The message has one line per
  // error.
  Status status() const;
};

// Movable. Its functions may be called from any thread, one at a time, but for stop(), set(),
// replace_model(), use_variant() and report(), which may come at any moment. Destroying it stops the run and
// waits for it.
class Pipeline {
 public:
  // `source` is a path, or the text of a pipeline when it contains a line end. kInvalid: the file is wrong;
  // kUnavailable: a model cannot be used. Opens models' headers only.
  static Result<Pipeline> load(std::string_view source, const Registry& registry,
                               const LoadOptions& options = {});
  // The same, with every error and warning kept apart.
  static std::optional<Pipeline> load(std::string_view source, const Registry& registry,
                                      const LoadOptions& options, LoadIssues& issues);
  // The same from a file that is read already (and maybe changed).
  static std::optional<Pipeline> load(const GraphSpec& spec, const Registry& registry,
                                      const LoadOptions& options, LoadIssues& issues);
  Pipeline(Pipeline&&) noexcept;
  Pipeline& operator=(Pipeline&&) noexcept;
  ~Pipeline();

  const Plan& plan() const;

  // Opens sources, sessions and sinks, makes the pools; `start` does it when it was not called, and takes the
  // same options. Once only: after a failure (kUnavailable: a device; kFailed: the world) load it again.
  Status probe(const RunOptions& options = {});
  Status start(const RunOptions& options = {});
  // Sources stop, frames inside finish. Returns at once. While start() opens the sources it ends that:
  // start() then says kCancelled.
  void stop();
  // Until the run is over. Ok, or why it failed. Closes the sinks' files. kTimeout when a node or a source
  // did not come back: the watchdog gave the run up (see abandoned).
  Status wait();
  // As `wait`, but gives up after `seconds`: false then, and the run goes on.
  bool wait_for(double seconds);
  // Counters of now, all 0 before the first frame. After wait(): the final report.
  RunReport report() const;
  // After wait(): a thread of the run still hangs in a node's code. All that the run used stays in memory,
  // also when the Pipeline is destroyed; end such a process with std::_Exit, since destructors of static
  // objects would run beside that thread.
  bool abandoned() const;
  // The counters of now, for programs that watch a run.
  RunSnapshot snapshot() const;
  // One option that the node declares as live, from the next frame on, through the same checks as the file's.
  // kInvalid otherwise, and before the run's first moment (start() is about to return) or after its end, as
  // for the next two.
  Status set(std::string_view node, std::string_view option, std::string_view value);

  // The model `name` of the file becomes the one at `path` (relative to the working directory) while the
  // pipeline runs: opened and checked here, then each node that runs it begins its frames on the new one; a
  // frame that a node has begun ends there on the old one, as do those before it. Frames that take a variant
  // go on with the variant's file, which the report names too: the model's own path is what changes. None is
  // lost, repeated or reordered. kInvalid, and nothing changes: no such model, or its inputs and outputs are
  // not the old one's by name, type, size and quantisation; kUnavailable: it cannot be used.
  Status replace_model(std::string_view name, const std::string& path);
  // Frames that are not routed yet take this variant of the model (empty: its own path) from now on.
  // kInvalid: no such variant, or the plan made no routes for it (policy fixed); kUnavailable: it cannot be
  // used.
  Status use_variant(std::string_view model, std::string_view variant);

  // Valid as long as the pipeline; false when there is no such node.
  AppSourceHandle app_source(std::string_view id);
  AppSinkHandle app_sink(std::string_view id);

 private:
  static std::optional<Pipeline> load_text(std::string_view source, const Registry& registry,
                                           const LoadOptions& options, LoadIssues& issues);
  static std::optional<Pipeline> load_spec(const GraphSpec& spec, const Registry& registry,
                                           const LoadOptions& options, LoadIssues& issues);
  class Impl;
  struct Destroy {
    void operator()(Impl* impl) const;
  };
  explicit Pipeline(std::unique_ptr<Impl, Destroy> impl);
  std::unique_ptr<Impl, Destroy> impl_;
};

}  // namespace sluice
