// What a node type declares once; validation, defaults, `sluice nodes`, the JSON Schema and typed values come
// from it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/image.h"
#include "framework/core/packet.h"
#include "framework/core/tensor.h"
#include "framework/node/options.h"

namespace sluice {

class Node;

enum class OptionKind : std::uint8_t {
  kBool,
  kInteger,
  kNumber,
  kText,
  kChoice,       // one of `choices`
  kPath,         // a text; relative to the pipeline file
  kPathOut,      // like kPath, written to; "-" stays as it is
  kModel,        // the name of an entry of `models`
  kNumbers,      // a number or a list of numbers
  kTexts,        // a text or a list of texts
  kNumberSet,    // a text such as "0,4-7", a whole number, or a list of both; becomes the text
  kRate,         // one of `choices`, or a positive number (fps)
  kMap,          // nested declaration in `children`
  kMaps,         // list of maps, each after `children`
  kTextsOrPath,  // a list of texts or whole numbers (which become texts), or a path of a text file with one
                 // per line (read by the node)
  kUri,  // like kPath, but a text that starts with a scheme of two or more letters ("rtsp:", "test:") stays
         // as it is
};

struct OptionDeclaration {
  std::string name;
  OptionKind kind = OptionKind::kText;
  std::string doc;       // one sentence
  std::string unit;      // "ms", "px", ...; empty: none
  OptionValue fallback;  // the default; null: none
  bool required = false;
  bool live = false;  // may be set while running
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices;
  std::vector<OptionDeclaration> children;

  OptionDeclaration& help(std::string text) {
    doc = std::move(text);
    return *this;
  }
  OptionDeclaration& in_unit(std::string u) {
    unit = std::move(u);
    return *this;
  }
  OptionDeclaration& range(double lo, double hi) {
    min = lo;
    max = hi;
    return *this;
  }
  OptionDeclaration& must() {
    required = true;
    return *this;
  }
  OptionDeclaration& can_change() {
    live = true;
    return *this;
  }
  OptionDeclaration& any_of(std::vector<std::string> names) {
    choices = std::move(names);
    return *this;
  }
  OptionDeclaration& child(OptionDeclaration c) {
    children.push_back(std::move(c));
    return *this;
  }
};

enum class PortKind : std::uint8_t {
  kAny,        // takes whatever comes; as an output: the type of input port 0
  kFrame,      // Image
  kTensor,     // Tensor
  kTensorSet,  // input only: one tensor per edge; all outputs of a node, or a map by name
  kDetections,
  kClasses,
  kText,    // TextRegions
  kMasks,   // Masks
  kCustom,  // `payload`
};

struct PortDeclaration {
  std::string name;
  PortKind kind = PortKind::kAny;
  std::string doc;
  const PayloadType* payload = nullptr;  // derived from kind; set for kCustom
  bool optional = false;                 // input: may be left unconnected
  bool dynamic = false;  // stands for any number of ports named by the file or the model (infer, json_sink)
  bool writes_in_place =
      false;  // input: the node edits this packet's pixels (the plan provides a copy when shared)
  bool read_only = false;  // output: nobody may edit it in place (a decoder still reads it)
  int max_packets = 1;     // output: most packets per frame
  // output: called once for each packet of the port's pool before the run, with the value and the node's
  // options: reserves what a frame may fill, so that no packet grows later. None: nothing to reserve.
  std::function<void(void* value, const Options& options)> prepare;

  PortDeclaration& help(std::string text) {
    doc = std::move(text);
    return *this;
  }
  PortDeclaration& may_be_absent() {
    optional = true;
    return *this;
  }
  PortDeclaration& any_number() {
    dynamic = true;
    return *this;
  }
  PortDeclaration& edits() {
    writes_in_place = true;
    return *this;
  }
  PortDeclaration& shared_read_only() {
    read_only = true;
    return *this;
  }
  PortDeclaration& up_to(int packets) {
    max_packets = packets;
    return *this;
  }
};

// Architecture rule 6: where a node's body runs.
enum class ThreadKind : std::uint8_t {
  kWorker,  // a TBB worker; computes only, never blocks
  kOwn,     // its own thread; may block (sources, files, network, encoders)
  kLane,    // the lane thread of an accelerator queue; set per infer node by its backend
};

// The type of a port in one route: what the plan knows before anything runs. Picture sizes may be symbolic
// (0).
struct PortType {
  PortKind kind = PortKind::kAny;
  const PayloadType* payload = nullptr;
  std::string name;                          // output port's name
  ImageType image;                           // kFrame; width 0: fixed at the probe
  std::shared_ptr<const TensorType> tensor;  // kTensor
  int max_packets = 1;
};

// A model's signature as the plan needs it (read from the file's header by the inference room).
struct ModelSignature {
  std::string name;     // of the entry in `models`
  std::string variant;  // empty: the model's own path
  std::vector<TensorType> inputs;
  std::vector<TensorType> outputs;
  // The first dimension of all of them is free in the file (1 in the shapes here): batches are possible.
  bool symbolic_batch = false;
};

// What infer_types and fold may look at; implemented by the plan.
class TypeContext {
 public:
  virtual ~TypeContext() = default;
  virtual const Options& options() const = 0;
  virtual std::string_view node_id() const = 0;
  virtual std::string_view variant() const = 0;  // of the route being typed; empty: none
  // Connected input edges of a port (more than one for sets and dynamic ports); type of each.
  virtual std::vector<PortType> inputs(std::size_t port) const = 0;
  // Port names the file gave to a dynamic port's edges, same order as `inputs(port)`.
  virtual std::vector<std::string> input_names(std::size_t port) const = 0;
  // Signature of the model that option `option` names, in this route.
  virtual Result<ModelSignature> model(std::string_view option) const = 0;
  // The tensor that the models behind this node want of it (infer nodes over exact edges through `any`
  // nodes): the first that is quantised, where one is, else the first; null: there is none.
  virtual std::shared_ptr<const TensorType> wanted_downstream() const = 0;
};

using InferTypes = std::function<Result<std::vector<PortType>>(const TypeContext&)>;

// Asked of a neighbour when float meets quantised: can this node write (preprocess) or read (detect) `type`
// itself? direction: kOutput: write port 0 as `type`; kInput: read `type` where it asked for float.
enum class FoldDirection : std::uint8_t { kInput, kOutput };
using Fold = std::function<bool(const TypeContext&, FoldDirection, const TensorType& type)>;

// Says what is wrong with a node's options whatever comes in: a size that a test pattern cannot have, a file
// name of an unknown kind. `refuse` is called once for each option, with a message that names it; kInvalid or
// kUnavailable. An option that another rule has refused already is null here.
using RefuseOption = std::function<void(std::string_view option, const Status& why)>;
using CheckOptions = std::function<void(const Options&, const RefuseOption& refuse)>;

using CreateNode = std::function<Result<std::unique_ptr<Node>>()>;

// One node type. Filled by `static void describe(NodeDeclaration&)`.
struct NodeDeclaration {
  std::string type;
  std::string summary;
  std::deque<PortDeclaration> inputs;  // deque: references from input() stay valid
  std::deque<PortDeclaration> outputs;
  std::deque<OptionDeclaration> options;
  ThreadKind thread = ThreadKind::kWorker;
  // Where the thread depends on the node's options (infer: on its backend); none: `thread`.
  std::function<ThreadKind(const Options&)> choose_thread;
  bool source = false;
  bool sink = false;         // counts in `sinks`
  bool observer = false;     // live_view: never due
  bool cheap = false;        // may share a task with its neighbours in a linear chain
  bool takes_lists = false;  // process sees whole packet lists; else it is called once per element
  bool serial = true;        // one frame at a time, in order; false: several at once, `process` is const-safe
  bool filters = false;      // may turn frames away on purpose
  bool infers = false;       // an `infer` node: realtime edges into it are capacity 1, drop_oldest
  std::string on_error;      // "drop" or "stop"; empty: stop for sinks, else drop
  CheckOptions check_options;  // none: each option's own rules say it all
  InferTypes infer_types;      // none: outputs as declared
  Fold fold;                   // none: cannot
  CreateNode create;

  NodeDeclaration& about(std::string text) {
    summary = std::move(text);
    return *this;
  }
  PortDeclaration& input(std::string name, PortKind kind);
  PortDeclaration& output(std::string name, PortKind kind);
  template <typename T>
  PortDeclaration& custom_input(std::string name) {
    PortDeclaration& p = input(std::move(name), PortKind::kCustom);
    p.payload = payload_type<T>();
    return p;
  }
  template <typename T>
  PortDeclaration& custom_output(std::string name) {
    PortDeclaration& p = output(std::move(name), PortKind::kCustom);
    p.payload = payload_type<T>();
    return p;
  }
  OptionDeclaration& option(std::string name, bool fallback);
  OptionDeclaration& option(std::string name, int fallback);
  OptionDeclaration& option(std::string name, double fallback);
  OptionDeclaration& option(std::string name, const char* fallback);
  // Without a default.
  OptionDeclaration& option(std::string name, OptionKind kind);
};

// Null for kAny, kTensorSet -> tensor.
const PayloadType* payload_of(PortKind kind);
std::string_view name_of(PortKind kind);
std::string_view name_of(ThreadKind kind);

}  // namespace sluice
