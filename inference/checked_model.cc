#include "inference/checked_model.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>

#include "inference/model_formats.h"
#include "inference/onnx/external_data.h"
#include "inference/sha256.h"

namespace sluice {
namespace {

struct Known {
  FileStamp stamp;
  std::shared_ptr<const CheckedModel> model;
  std::string sha256;  // empty: not computed yet
};

// What was read before, so that a hundred nodes on one model read it once.
class Cache {
 public:
  std::optional<Known> find(const std::string& path, const FileStamp& stamp) {
    std::lock_guard lock(mutex_);
    const auto it = known_.find(path);
    if (it == known_.end() || it->second.stamp != stamp) return std::nullopt;
    return it->second;
  }
  void put(const std::string& path, Known known) {
    std::lock_guard lock(mutex_);
    if (known_.size() >= kMost) known_.clear();
    known_[path] = std::move(known);
  }

 private:
  static constexpr std::size_t kMost = 256;
  std::mutex mutex_;
  std::map<std::string, Known> known_;
};

Cache& cache() {
  static Cache* const instance = new Cache;  // never destroyed: threads that outlive main may still ask
  return *instance;
}

Status check_versions(const onnx::ModelHeader& header) {
  if (header.ir_version > kMaxIrVersion)
    return unavailable("has IR version " + std::to_string(header.ir_version) + ", at most " +
                       std::to_string(kMaxIrVersion) + " is supported; export it with an older onnx package");
  const auto it = header.opsets.find("");
  if (it == header.opsets.end()) return {};
  if (it->second > kMaxOpset)
    return unavailable("needs ONNX opset " + std::to_string(it->second) + ", " + std::to_string(kMinOpset) +
                       " to " + std::to_string(kMaxOpset) + " are supported; export it with opset_version=" +
                       std::to_string(kMaxOpset) + " or lower");
  if (it->second < kMinOpset)
    return unavailable("uses ONNX opset " + std::to_string(it->second) + ", " + std::to_string(kMinOpset) +
                       " to " + std::to_string(kMaxOpset) +
                       " are supported; raise it with onnx.version_converter");
  return {};
}

std::atomic<ModelWrapper> binary_wrapper{nullptr};

// `model.file` becomes an ONNX model.
Status wrap_binary(CheckedModel& model) {
  const ModelWrapper wrap = binary_wrapper.load();
  const std::string& path = model.file->path();
  if (!wrap) return unavailable("'" + path + "' is a context binary, which no backend of this program reads");
  SLUICE_ASSIGN(std::string bytes, wrap(model.file->bytes(), path));
  model.wrapped = std::move(model.file);
  model.file = ModelFile::made_from(*model.wrapped, std::move(bytes));
  return {};
}

Result<std::shared_ptr<const CheckedModel>> read_model(const std::string& path) {
  auto model = std::make_shared<CheckedModel>();
  SLUICE_ASSIGN(model->file, ModelFile::open(path));
  if (path.ends_with(".bin")) SLUICE_RETURN_IF_ERROR(wrap_binary(*model));
  SLUICE_RETURN_IF_ERROR(check_format(path, model->file->bytes()));
  SLUICE_ASSIGN(model->header, onnx::read_header(model->file->bytes(), path));
  if (const Status status = check_versions(model->header); !status.ok())
    return status.with_context("'" + path + "' ");
  SLUICE_RETURN_IF_ERROR(onnx::check_external_data(model->header.external, folder_of(path)));
  model->edges = onnx::find_quantised_edges(model->header);
  return std::shared_ptr<const CheckedModel>(std::move(model));
}

const ModelFile& on_disk(const CheckedModel& model) { return model.wrapped ? *model.wrapped : *model.file; }

Result<Known> look_up(const std::string& path, bool with_hash) {
  SLUICE_ASSIGN(const FileStamp stamp, ModelFile::stamp_of(path));
  auto known = cache().find(path, stamp);
  if (known && (!with_hash || !known->sha256.empty())) return *known;
  Known fresh = known.value_or(Known{});
  if (!known) {
    SLUICE_ASSIGN(fresh.model, read_model(path));
    fresh.stamp = on_disk(*fresh.model).stamp();
  }
  if (with_hash) fresh.sha256 = sha256_hex(on_disk(*fresh.model).bytes());
  cache().put(path, fresh);
  return fresh;
}

Result<Known> look_up(const ModelRequest& request, bool with_hash) {
  auto known = look_up(request.path, with_hash || !request.sha256.empty());
  if (!known.ok()) return known.status().with_context(describe(request) + ": ");
  if (request.sha256.empty() || known->sha256 == request.sha256) return known;
  return unavailable("'" + request.path + "' has sha256 " + known->sha256 + ", the pipeline file wants " +
                     request.sha256 + "; get the right file or correct 'sha256'")
      .with_context(describe(request) + ": ");
}

}  // namespace

void set_binary_wrapper(ModelWrapper wrap) { binary_wrapper.store(wrap); }

bool is_quantised(const onnx::ModelHeader& header) {
  return std::ranges::any_of(header.operators, [](const onnx::Operator& op) {
    return op.type == "QuantizeLinear" || op.type == "DequantizeLinear" || op.type == "EPContext";
  });
}

std::string describe(const ModelRequest& request) {
  const std::string model = "model '" + request.name + "'";
  return request.variant.empty() ? model : model + ", variant '" + request.variant + "'";
}

Result<std::shared_ptr<const CheckedModel>> check_model(const ModelRequest& request) {
  SLUICE_ASSIGN(Known known, look_up(request, false));
  return known.model;
}

Result<std::string> hash_of(const ModelRequest& request) {
  SLUICE_ASSIGN(Known known, look_up(request, true));
  return known.sha256;
}

}  // namespace sluice
