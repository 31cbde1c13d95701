#include "tools/sluice/package_models.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "framework/core/suggest.h"
#include "framework/core/temporary_folder.h"
#include "inference/checked_model.h"
#include "runtime/atomic_file.h"
#include "tools/sluice/copied_files.h"
#include "tools/sluice/model_encodings.h"
#include "tools/sluice/model_facts.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::uint32_t kAttributeText = 4;  // AttributeProto.s

// The file that an EPContext node reads; none: the binary is inside the model.
std::optional<std::string> context_binary(onnx::Bytes node) {
  bool context = false, embedded = true;
  std::string file;
  onnx::Reader reader(node);
  for (onnx::Field f; reader.next(f);) {
    if (f.number == onnx::field::kOpType) context = f.bytes == "EPContext";
    if (f.number != onnx::field::kAttribute) continue;
    onnx::Bytes name, text;
    std::uint64_t number = 0;
    onnx::Reader attribute(f.bytes);
    for (onnx::Field part; attribute.next(part);) {
      if (part.number == onnx::field::kAttributeName) name = part.bytes;
      if (part.number == onnx::field::kAttributeInt) number = part.value;
      if (part.number == kAttributeText) text = part.bytes;
    }
    if (name == "embed_mode") embedded = number != 0;
    if (name == "ep_cache_context") file = std::string(text);
  }
  return context && !embedded ? std::optional(file) : std::nullopt;
}

std::set<std::string> files_beside(const CheckedModel& model) {
  std::set<std::string> out;
  for (const onnx::ExternalData& data : model.header.external) out.insert(data.location);
  onnx::Reader reader(model.file->bytes());
  for (onnx::Field f; reader.next(f);) {
    if (f.number != onnx::field::kGraph) continue;
    onnx::Reader graph(f.bytes);
    for (onnx::Field part; graph.next(part);)
      if (part.number == onnx::field::kNode)
        if (const auto binary = context_binary(part.bytes)) out.insert(*binary);
  }
  return out;
}

// A binary beside the model is named by the model, which may come from anywhere.
Status copy_beside(const fs::path& model, const std::string& file, const fs::path& to) {
  const fs::path path(file);
  const bool outside = path.is_absolute() || path.lexically_normal().string().starts_with("..");
  if (file.empty() || outside)
    return unavailable(path_in_quotes(model.string()) + " reads " + path_in_quotes(file) +
                       ", which is not inside its own folder; only such files can be packaged");
  return copy_files(model.parent_path() / path, to.parent_path() / path);
}

Json tensors_json(const std::vector<TensorFacts>& tensors) {
  Json out = Json::object();
  for (const TensorFacts& tensor : tensors) {
    Json shape = Json::array();
    for (const std::string& dim : tensor.shape) {
      const bool number = dim.find_first_not_of("0123456789") == std::string::npos;
      shape.push_back(number ? Json(std::stoll(dim)) : Json(dim));
    }
    out[tensor.name] = {{"dtype", tensor.dtype}, {"shape", std::move(shape)}};
    if (tensor.scale.empty()) continue;
    const bool one = tensor.scale.size() == 1;
    out[tensor.name]["scale"] = one ? Json(tensor.scale[0]) : Json(tensor.scale);
    out[tensor.name]["zero_point"] = one ? Json(tensor.zero_point[0]) : Json(tensor.zero_point);
    if (tensor.axis >= 0) out[tensor.name]["axis"] = tensor.axis;
  }
  return out;
}

// How many tensors have which integer type: "uint16": 76.
Json counts_json(const std::vector<TensorEncoding>& encodings, bool weights) {
  std::map<std::string, int> counts;
  for (const TensorEncoding& encoding : encodings)
    if (encoding.weight == weights) ++counts[encoding.dtype];
  return counts;
}

std::string name_of(const ModelRequest& request) {
  return request.variant.empty() ? request.name : request.name + "." + request.variant;
}

Status write(const fs::path& path, const Json& json) {
  return replace_file(path.string(), json.dump(1) + "\n");
}

}  // namespace

Status package_models(const std::vector<PackagedModel>& models, const std::string& folder) {
  const fs::path root(folder);
  Json specs = Json::object(), quantisation = Json::object();
  for (const PackagedModel& packaged : models) {
    SLUICE_ASSIGN(const auto model, check_model(packaged.request));
    const fs::path from(packaged.request.path), to = root / packaged.file;
    SLUICE_RETURN_IF_ERROR(copy_files(from, to));
    for (const std::string& file : files_beside(*model)) SLUICE_RETURN_IF_ERROR(copy_beside(from, file, to));
    const ModelFacts facts = facts_of(*model);
    const std::string name = name_of(packaged.request);
    const Json inputs = tensors_json(facts.inputs), outputs = tensors_json(facts.outputs);
    specs[name] = {{"file", packaged.file}, {"inputs", inputs}, {"outputs", outputs}};
    const auto encodings = encodings_of(model->header);
    if (encodings.empty()) continue;
    const std::string file = "encodings/" + to.parent_path().filename().string() + ".json";
    static_cast<void>(make_folders(root / "encodings"));  // what is missing, the file in it says
    SLUICE_RETURN_IF_ERROR(replace_file((root / file).string(), encodings_json(encodings)));
    quantisation[name] = {{"file", packaged.file},
                          {"encodings", file},
                          {"activations", counts_json(encodings, false)},
                          {"parameters", counts_json(encodings, true)},
                          {"inputs", inputs},
                          {"outputs", outputs}};
  }
  SLUICE_RETURN_IF_ERROR(write(root / "input_specs.json", {{"version", 1}, {"models", std::move(specs)}}));
  return write(root / "quantization_config.json", {{"version", 1}, {"models", std::move(quantisation)}});
}

}  // namespace sluice::cli
