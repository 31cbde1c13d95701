// The whole way of `sluice quantize`, without files for the data: a float model in, a QDQ model out.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "inference/value_histogram.h"
#include "quantize/input_shape.h"
#include "quantize/samples.h"

namespace sluice::quantize {

struct Request {
  // w8a8, w8a16, mixed; empty: what the encodings file says of activations without an entry, else w8a8.
  std::string scheme;
  std::string range = "minmax";  // minmax, percentile, mse
  bool per_tensor = false;
  bool equalize = false;
  bool quantised_edges = false;  // `--io quantized`
  // Of every output on held-out samples. `mixed` raises operators until they hold.
  std::optional<double> max_mse, min_snr;
  std::string encodings;                         // the text of an encodings file; empty: none
  std::string encodings_path;                    // where that text came from, for errors
  std::map<std::string, ValueHistogram> ranges;  // seen elsewhere, by tensor: join what the samples show
  std::map<std::string, std::string> metadata;   // written into the model, by key
  std::function<bool()> interrupted;             // asked before every sample; none: nothing interrupts
};

struct Outcome {
  std::string model;        // serialised
  std::string scheme;       // as in Request, never empty
  std::string encodings;    // all of them, as an encodings file
  std::size_t samples = 0;  // in the statistics
  std::size_t held_out = 0;
  int operators = 0, quantised_operators = 0;  // of the prepared network
  std::map<std::string, int> float_operators;  // by type: those that have no integer form
  std::optional<double> snr_db, mse;  // of the worst output on the held-out samples, when they were asked for
  bool target_met = true;
  std::vector<std::string> notes;  // what else a user should know, a line each
};

// A float model, prepared (float_model.h). Not thread-safe.
class Quantizer {
 public:
  virtual ~Quantizer() = default;
  // What the calibration data are for.
  virtual const std::vector<InputInfo>& inputs() const = 0;
  // kCancelled: it was interrupted.
  virtual Result<Outcome> quantize(const Request& request, Samples& samples,
                                   const std::function<void(std::size_t)>& progress) = 0;
};

// kInvalid, kUnavailable: as load_model, check_is_float, prepare.
Result<std::unique_ptr<Quantizer>> open_quantizer(const std::string& path,
                                                  const std::vector<InputShape>& shapes);

}  // namespace sluice::quantize
