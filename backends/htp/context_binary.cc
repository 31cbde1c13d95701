#include "backends/htp/context_binary.h"

#include <dlfcn.h>

#include <cstddef>

#include "backends/htp/provider.h"
#include "inference/onnx/model_header.h"

namespace sluice::htp {
namespace {

using std::uint32_t;
using std::uint64_t;

// The parts of QnnTypes.h, QnnSystemContext.h and QnnSystemInterface.h (QAIRT, interface 1.x) that are read
// here. Unions end with the largest of their members where an array's step depends on it.
struct Version {
  uint32_t major, minor, patch;
};
struct QuantizeParams {
  uint32_t definition, encoding;
  struct {
    float scale;
    std::int32_t offset;  // real = (integer + offset) * scale
  } per_tensor;
  std::byte others[24];
};
struct GraphTensor {
  uint32_t version;
  alignas(8) uint32_t id;
  const char* name;
  uint32_t kind, format, type;
  alignas(8) QuantizeParams quant;
  uint32_t rank;
  const uint32_t* dims;
  std::byte rest[48];
};
struct Graph {
  uint32_t version;
  const char* name;
  uint32_t inputs_count;
  const GraphTensor* inputs;
  uint32_t outputs_count;
  const GraphTensor* outputs;
  std::byte rest[40];  // of the third version
};
struct BinaryInfoV1 {  // and V2
  uint32_t backend;
  const char* build;
  Version core, backend_api;
  const char* soc;
  Version hardware, blob;
  uint32_t hardware_size;
  const void* hardware_blob;
  uint64_t blob_size;
  uint32_t tensors_count;
  const void* tensors;
  uint32_t graphs_count;
  const Graph* graphs;
};
struct BinaryInfoV3 {
  uint32_t backend;
  const char* build;
  Version core, backend_api;
  const char* soc;
  Version blob;
  uint64_t blob_size;
  uint32_t tensors_count;
  const void* tensors;
  uint32_t graphs_count;
  const Graph* graphs;
  const void* platform;
  uint32_t metadata_size;
  const void* metadata;
  uint32_t soc_model;
};
struct BinaryInfo {
  uint32_t version;
  union {
    BinaryInfoV1 v1;
    BinaryInfoV3 v3;
  };
};
struct System {
  uint32_t backend;
  const char* name;
  Version api;
  uint64_t (*create)(void** context);
  void* not_called;
  uint64_t (*read)(void* context, const void* bytes, uint64_t size, const BinaryInfo** info);
  uint64_t (*free)(void* context);
};
static_assert(sizeof(GraphTensor) == 144 && offsetof(GraphTensor, quant) == 40 &&
              offsetof(GraphTensor, dims) == 88);
static_assert(offsetof(BinaryInfoV1, graphs) == 120 && offsetof(BinaryInfoV3, soc_model) == 128);
static_assert(sizeof(Graph) == 88);

constexpr uint32_t kSystemMajor = 1, kHtp = 6, kDefined = 1, kPerTensor = 0, kMostTensors = 256,
                   kMostRank = 8;
using GetProviders = uint64_t (*)(const System*** providers, uint32_t* count);

Result<const System*> load_system(const std::string& path) {
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char* why = ::dlerror();
    return unavailable(why ? why : path + ": cannot be loaded");
  }
  const auto get = reinterpret_cast<GetProviders>(::dlsym(handle, "QnnSystemInterface_getProviders"));
  const System** systems = nullptr;
  uint32_t count = 0;
  if (!get || get(&systems, &count) != 0 || count == 0 || systems[0]->api.major != kSystemMajor)
    return unavailable("'" + path + "' is no system library of QNN 1");
  return systems[0];
}

// Frees what `read` gave.
class SystemContext {
 public:
  explicit SystemContext(const System& system) : system_(system) {
    if (system_.create(&handle_) != 0) handle_ = nullptr;
  }
  ~SystemContext() {
    if (handle_) system_.free(handle_);
  }
  SystemContext(const SystemContext&) = delete;
  SystemContext& operator=(const SystemContext&) = delete;
  // Null: the bytes are no context binary.
  const BinaryInfo* read(std::string_view bytes) const {
    const BinaryInfo* info = nullptr;
    return handle_ && system_.read(handle_, bytes.data(), bytes.size(), &info) == 0 ? info : nullptr;
  }

 private:
  const System& system_;
  void* handle_ = nullptr;
};

// ONNX's element of QNN's type; 0: none.
std::int32_t element_of(uint32_t type) {
  switch (type) {
    case 0x0232:
      return onnx::kFloat;
    case 0x0216:
      return onnx::kHalf;
    case 0x0108:
    case 0x0408:
      return onnx::kUint8;
    case 0x0008:
    case 0x0308:
      return onnx::kInt8;
    case 0x0116:
    case 0x0416:
      return onnx::kUint16;
    case 0x0016:
    case 0x0316:
      return onnx::kInt16;
    case 0x0032:
      return onnx::kInt32;
    case 0x0064:
      return onnx::kInt64;
    case 0x0508:
      return onnx::kBoolean;
    default:
      return 0;
  }
}

bool is_fixed_point(uint32_t type) {
  return type == 0x0408 || type == 0x0308 || type == 0x0416 || type == 0x0316;
}

Result<BinaryTensor> tensor_of(const GraphTensor& tensor) {
  BinaryTensor out;
  out.name = tensor.name ? tensor.name : "";
  out.element = element_of(tensor.type);
  if (out.element == 0)
    return unavailable("its tensor '" + out.name + "' has QNN's type " + std::to_string(tensor.type) +
                       ", which ONNX lacks");
  if (tensor.rank > kMostRank || (tensor.rank > 0 && !tensor.dims))
    return unavailable("its tensor '" + out.name + "' has " + std::to_string(tensor.rank) + " dimensions");
  out.dims.assign(tensor.dims, tensor.dims + tensor.rank);
  if (!is_fixed_point(tensor.type)) return out;
  if (tensor.quant.definition != kDefined || tensor.quant.encoding != kPerTensor)
    return unavailable("its tensor '" + out.name + "' is not quantised per tensor");
  out.scale = tensor.quant.per_tensor.scale;
  out.zero_point = -tensor.quant.per_tensor.offset;
  return out;
}

Status add_tensors(const GraphTensor* from, uint32_t count, std::vector<BinaryTensor>& to) {
  if (count == 0 || count > kMostTensors || !from) return unavailable("its graph has no inputs or outputs");
  for (uint32_t i = 0; i < count; ++i) {
    SLUICE_ASSIGN(BinaryTensor tensor, tensor_of(from[i]));
    to.push_back(std::move(tensor));
  }
  return {};
}

// "'encoder', 'decoder'", cut where it gets long, or where another release's array has another step.
std::string names_of(const Graph* graphs, uint32_t count) {
  constexpr uint32_t kMost = 16;
  std::string out;
  for (uint32_t i = 0; i < count; ++i) {
    const bool known = i < kMost && graphs[i].version >= 1 && graphs[i].version <= 3 && graphs[i].name;
    if (!known) return out + (i > 0 ? ", ..." : "...");
    out += (i > 0 ? ", '" : "'") + std::string(graphs[i].name) + "'";
  }
  return out;
}

std::string release_of(const char* build) {
  std::string out = build ? build : "";
  return out.starts_with('v') ? out.substr(1) : out;
}

}  // namespace

Result<ContextBinary> read_context_binary(std::string_view bytes, const std::string& system_library) {
  SLUICE_ASSIGN(const System* const system, load_system(system_library));
  const SystemContext context(*system);
  const BinaryInfo* const info = context.read(bytes);
  if (!info || info->version < 1 || info->version > 3)
    return unavailable("is no context binary that this QAIRT can read: it is damaged, or of a newer release");
  const bool third = info->version == 3;
  if ((third ? info->v3.backend : info->v1.backend) != kHtp)
    return unavailable("is a context binary of another QNN backend than HTP");
  ContextBinary out;
  out.qairt = release_of(third ? info->v3.build : info->v1.build);
  out.soc = third ? static_cast<int>(info->v3.soc_model) : 0;
  const uint32_t count = third ? info->v3.graphs_count : info->v1.graphs_count;
  const Graph* const graph = third ? info->v3.graphs : info->v1.graphs;
  if (count == 0 || !graph) return unavailable("is a context binary without a graph");
  if (count > 1)
    return unavailable("has " + std::to_string(count) + " graphs (" + names_of(graph, count) +
                       "), a model is exactly one; export each of them as a binary of its own");
  out.graph = graph->name ? graph->name : "";
  SLUICE_RETURN_IF_ERROR(add_tensors(graph->inputs, graph->inputs_count, out.inputs));
  SLUICE_RETURN_IF_ERROR(add_tensors(graph->outputs, graph->outputs_count, out.outputs));
  return out;
}

Result<std::string> wrap_context_file(std::string_view bytes, const std::string& path) {
  const std::string what = "'" + path + "' ";
  const auto files = find_provider(provider_folders());
  if (!files.ok())
    return files.status().with_context(what + "is taken for a context binary of QNN, and cannot be read: ");
  auto info = read_context_binary(bytes, files->system);
  if (!info.ok()) return info.status().with_context(what);
  return wrap_context_binary(*info, bytes);
}

}  // namespace sluice::htp
