// The inference room's front: what the runtime and nodes/infer.cc use of it. Backends stand behind Session.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/clock.h"
#include "framework/core/histogram.h"
#include "framework/core/packet.h"
#include "framework/core/status.h"
#include "framework/core/tensor.h"
#include "framework/node/declaration.h"
#include "framework/node/options.h"

namespace sluice {

// How a backend's runs use the calling thread (architecture rule 6).
enum class RunKind : std::uint8_t { kCompute, kWaits };

// Which model file to load and how its symbolic dimensions are fixed.
struct ModelRequest {
  std::string name;     // of the entry in `models`
  std::string variant;  // empty: the model's own path
  std::string path;
  std::string sha256;                                      // expected; empty: not checked
  std::vector<std::pair<std::string, std::int64_t>> dims;  // "N" or "input.0" -> size
};

// Operators per place, for the report and `inspect`.
struct Placement {
  int total = 0;
  int on_backend = 0;
  std::map<std::string, int> elsewhere;  // "cpu" -> count
  std::vector<std::string> reasons;      // in the backend's own words
};

// What sessions queue for. Those that name the same one share a lane, so that the most urgent run goes first
// whichever model it is of; a session that names none has a lane of its own.
struct Accelerator {
  std::string_view name;
  int runs_at_once = 1;
};

// A loaded model on one backend, shared by all nodes that asked for the same thing. Thread-safe: up to
// `slots()` runs at once, each in its own slot. Destroyed outside the workers when its last frame is done.
class Session {
 public:
  virtual ~Session() = default;
  virtual const ModelSignature& signature() const = 0;
  virtual std::string_view backend() const = 0;
  virtual bool simulated() const { return false; }
  // The mode that its runs vote for; empty where there is no such thing.
  virtual std::string_view performance_mode() const { return {}; }
  virtual RunKind kind() const = 0;
  // Asked when runs wait (kWaits); the name outlives the session.
  virtual Accelerator accelerator() const { return {}; }
  virtual int slots() const = 0;
  // True when a run always takes the whole batch it was opened with: short batches are padded by the caller.
  virtual bool static_batch() const { return false; }
  virtual Placement placement() const = 0;
  // Inputs and outputs in the signature's order; dense host tensors of exactly its types (the batch dimension
  // as bound). Writes the outputs in place. No allocation of ours after the first run with the same buffers.
  virtual Status run(int slot, std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs) = 0;
  // The run in this slot took too long and was given up; a backend that can stop it does so. From any thread.
  virtual void cancel(int /*slot*/) {}
};

struct SessionRequest {
  ModelRequest model;
  std::string backend;
  OptionMap options;        // of the backend, merged: node over `backends` over defaults
  std::string on_fallback;  // "warn", "error", "allow"
  int slots = 1;
  int batch = 1;                        // > 1: the symbolic first dimension is bound to this at most
  double batch_wait_ms = 0;             // how long a short batch waits for more
  std::vector<std::string> keep_float;  // quantised edges that the plan left float32 (not stripped)
  std::string node;                     // who asks, for messages
  std::uint64_t generation = 0;         // counts the sessions of a run; set by the session table
};

// A backend: named, explicit about why it is not there.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  // Ok, or exactly what is missing (kUnavailable). Cheap; cached by the backend.
  virtual Status available() = 0;
  // True when it does not run on what it is named after (fake, a simulator).
  virtual bool simulated() const { return false; }
  // Of what it is made of, once it is available: "QAIRT 2.51.0"; may be empty.
  virtual std::string version() { return {}; }
  // Its options for the file's `backends:` map and the node's own.
  virtual const std::vector<OptionDeclaration>& options() const = 0;
  virtual Result<std::unique_ptr<Session>> open(const SessionRequest& request) = 0;
  // The model compiled ahead of time, as a file that `open` takes in its place. kUnavailable: it has no such
  // thing.
  virtual Result<std::string> compile(const SessionRequest& request) {
    return unavailable("backend '" + request.backend + "' compiles nothing ahead of time");
  }
};

// Why an infer node runs where it runs; one entry per change.
struct Choice {
  TimeNs at = 0;
  std::string backend;
  std::string variant;
  std::string performance_mode;
  int step = 0;
  std::string reason;
};

// One infer node's part of the report (contract section 5).
struct InferenceEntry {
  std::string node, model, variant, backend;
  std::vector<std::string> requested;
  bool simulated = false;
  Placement placement;
  Histogram latency;
  std::optional<double> saturated_fraction;
  // The first one and the last ones, kMostDecisions at most: a run goes on for days.
  static constexpr std::size_t kMostDecisions = 1000;
  std::vector<Choice> decisions;
  std::uint64_t decisions_left_out = 0;  // so many came after the first
  std::vector<std::string> ran_on;       // backends, each once
  std::vector<std::string> warnings;     // fallbacks under `warn` and `allow`
  std::string on_fallback;               // under `allow` the warnings are for the report alone
  std::uint64_t abandoned_runs = 0;      // hung and given up
};

}  // namespace sluice
