// What a command line asks for, as plain data. Only arguments.cc and argument_checks.* include CLI11.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "quantize/input_shape.h"

namespace sluice::cli {

struct RunArguments {
  std::string file;
  std::vector<std::pair<std::string, std::string>> set;  // node.option, value
  std::optional<std::int64_t> frames;
  std::optional<double> duration_s;
  std::optional<std::string> pace;
  std::string report, trace;        // paths; empty: none
  std::string device = "real";      // or "sim:PROFILE"
  std::string timings;              // simulated: a report; empty: the profile's times
  std::optional<double> ambient_c;  // simulated
  std::string record;               // a folder; empty: none
  bool force = false;               // an earlier recording is replaced
  std::string collect_ranges;       // a path; empty: none
  bool quiet = false;
  std::string log_level = "info";
  std::string log_file;
};

struct CheckArguments {
  std::vector<std::string> files;
};

struct ExplainArguments {
  std::string report;
};

struct PlanArguments {
  std::string file;
  std::vector<std::pair<std::string, std::string>> set;
  std::optional<std::string> pace;
  std::string format = "text";
  bool probe = false;
};

struct NodesArguments {
  std::string type;  // empty: all
};

struct SchemaArguments {};

struct DoctorArguments {
  bool json = false;
};

struct InspectArguments {
  std::string model;
  std::vector<quantize::InputShape> shapes;
  bool json = false;
};

struct CompileArguments {
  std::string model;
  std::string backend;
  std::string output;
  std::vector<std::string> socs;  // empty: the backend's choice
  std::vector<quantize::InputShape> shapes;
  std::string precision = "auto";
  bool tune = false;
  bool force = false;
};

struct EvalArguments {
  std::string file;
  std::string labels;
  std::vector<std::pair<std::string, std::string>> set;
  double iou = 0.5;
  std::optional<double> min_recall, min_precision;
  bool json = false;
};

struct QuantizeArguments {
  std::string model, data, output;
  std::string scheme;  // empty: not given
  std::string range = "minmax";
  std::string io = "float";
  std::string preprocess;                  // FILE#NODE
  std::string encodings, write_encodings;  // files
  std::vector<std::string> ranges;         // FILE or FILE#MODEL
  bool per_tensor = false;
  bool equalize = false;
  bool force = false;
  std::optional<double> max_mse, min_snr;
  std::vector<quantize::InputShape> shapes;
};

struct CompareArguments {
  std::string model, backend, reference_model, reference = "cpu";
  std::string precision = "auto";  // of `backend`
  std::string data, preprocess;
  bool layers = false;
  bool json = false;
  std::optional<double> max_mse, min_snr;
  std::vector<quantize::InputShape> shapes;
};

struct PackageArguments {
  std::string file;
  std::string output;
  bool force = false;
};

struct ProfileArguments {
  std::string model, backend;  // a backend's name or "all"
  std::string scenario;        // "single_stream", "offline"; empty: a quick look
  std::string inputs;          // an .npz; empty: made-up numbers
  std::string soc;             // of backend htp; empty: the backend's choice
  std::vector<quantize::InputShape> shapes;
  std::optional<double> duration_s;
  bool json = false;
};

struct ThermalArguments {
  std::string file;                                           // empty: --compare
  std::vector<std::pair<std::string, std::string>> set;       // node.option, value
  std::vector<std::pair<std::string, std::string>> backends;  // node, backend
  std::optional<std::string> pace;
  std::string device = "real";
  std::string timings;
  std::optional<double> ambient_c;
  double duration_s = 1800, cool_down_s = 600, recovery_s = 60;
  std::vector<std::string> policies;  // empty: the file's own
  int repeat = 1;
  bool resume = false;
  std::string report, json, csv;     // paths; empty: none
  std::vector<std::string> compare;  // two results
  std::optional<double> min_stability, min_fps, max_p95_ms, max_skin_c;
  bool quiet = false;
};

struct FitArguments {
  std::vector<std::string> traces;
  std::string output;
  std::string base = "generic";  // what is not fitted comes from this profile
  std::optional<double> ambient_c;
  bool force = false;
};

using Arguments = std::variant<RunArguments, CheckArguments, PlanArguments, NodesArguments, SchemaArguments,
                               DoctorArguments, InspectArguments, CompileArguments, EvalArguments,
                               QuantizeArguments, CompareArguments, PackageArguments, ProfileArguments,
                               ThermalArguments, FitArguments, ExplainArguments>;

// The arguments, or the exit code when there is nothing to do: 0 after help and version (stdout), 2 after an
// error (stderr).
std::variant<Arguments, int> parse_arguments(int argc, const char* const* argv);

}  // namespace sluice::cli
