#include "backends/htp/compiled_model.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <optional>
#include <vector>

#include "backends/htp/context_binary.h"
#include "framework/node/htp_socs.h"
#include "inference/onnx/wire.h"

namespace sluice::htp {
namespace {

// ModelProto.metadata_props and StringStringEntryProto of onnx.proto.
constexpr std::uint32_t kMetadata = 14, kKey = 1, kValue = 2;
constexpr std::string_view kInfoKey = "ep_compatibility_info.QNNExecutionProvider";
constexpr std::string_view kOwnKey = "sluice.compiled_for";  // of a wrapped binary

// AttributeProto's field that onnx::field does not name.
constexpr std::uint32_t kAttributeString = 4;

// Of the EPContext node that brings the context.
struct ContextNode {
  std::string_view context;  // the binary, or its file's name
  bool embedded = true;
  bool main = true;
};

void read_attribute(std::string_view message, ContextNode& node) {
  onnx::Reader reader(message);
  std::string_view name, text;
  std::uint64_t number = 0;
  for (onnx::Field f; reader.next(f);) {
    if (f.number == onnx::field::kAttributeName) name = f.bytes;
    if (f.number == onnx::field::kAttributeInt) number = f.value;
    if (f.number == kAttributeString) text = f.bytes;
  }
  if (name == "ep_cache_context") node.context = text;
  if (name == "embed_mode") node.embedded = number != 0;
  if (name == "main_context") node.main = number != 0;
}

// The first that brings one; the others refer to it.
std::optional<ContextNode> find_context(std::string_view model) {
  onnx::Reader parts(model);
  for (onnx::Field part; parts.next(part);) {
    if (part.number != onnx::field::kGraph) continue;
    onnx::Reader nodes(part.bytes);
    for (onnx::Field f; nodes.next(f);) {
      if (f.number != onnx::field::kNode) continue;
      ContextNode node;
      bool is_context = false;
      onnx::Reader fields(f.bytes);
      for (onnx::Field field; fields.next(field);) {
        if (field.number == onnx::field::kOpType) is_context = field.bytes == "EPContext";
        if (field.number == onnx::field::kAttribute) read_attribute(field.bytes, node);
      }
      if (is_context && node.main) return node;
    }
  }
  return std::nullopt;
}

// A file name that stays in the model's folder.
Result<std::shared_ptr<const ModelFile>> open_beside(const std::string& model, std::string_view name) {
  const std::filesystem::path path(name);
  if (path.is_absolute() || std::ranges::find(path, "..") != path.end())
    return unavailable("its context binary '" + std::string(name) + "' lies outside the model's folder");
  return ModelFile::open(folder_of(model) + "/" + path.string());
}

std::string_view metadata(std::string_view model, std::string_view wanted) {
  onnx::Reader reader(model);
  for (onnx::Field field; reader.next(field);) {
    if (field.number != kMetadata) continue;
    std::string_view key, value;
    onnx::Reader entry(field.bytes);
    for (onnx::Field part; entry.next(part);) {
      if (part.number == kKey) key = part.bytes;
      if (part.number == kValue) value = part.bytes;
    }
    if (key == wanted) return value;
  }
  return {};
}

int number_of(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> out;
  for (std::size_t end = 0; end != std::string_view::npos; text.remove_prefix(end + 1)) {
    end = text.find(at);
    out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
  }
  return out;
}

std::array<int, 3> version_of(std::string_view text) {
  std::array<int, 3> out{};
  const auto parts = split(text, '.');
  for (std::size_t i = 0; i < std::min(parts.size(), out.size()); ++i) out[i] = number_of(parts[i]);
  return out;
}

std::string name_of_soc(int number) {
  const auto socs = htp_socs();
  const auto found = std::ranges::find(socs, number, &HtpSoc::number);
  return "SoC " + std::to_string(number) + (found == socs.end() ? "" : " (" + std::string(found->name) + ")");
}

}  // namespace

bool is_compiled(const onnx::ModelHeader& header) {
  return std::ranges::any_of(header.operators,
                             [](const onnx::Operator& op) { return op.type == "EPContext"; });
}

CompiledFor read_compiled_for(std::string_view model) {
  const std::string_view info = metadata(model, kInfoKey);
  const auto parts = split(info.empty() ? metadata(model, kOwnKey) : info, ':');
  if (parts.size() < 6 || parts[0] != "v2") return {};
  return {std::string(parts[2]), number_of(parts[4]), number_of(parts[5])};
}

Result<CompiledFor> find_compiled_for(const CheckedModel& model, const std::string& system_library) {
  const std::string_view bytes = model.file->bytes();
  const CompiledFor said = read_compiled_for(bytes);
  const auto node = find_context(bytes);
  if (said.soc > 0 || !said.qairt.empty() || system_library.empty() || !node) return said;
  std::shared_ptr<const ModelFile> beside;
  if (!node->embedded) {
    SLUICE_ASSIGN(beside, open_beside(model.file->path(), node->context));
  }
  SLUICE_ASSIGN(const ContextBinary binary,
                read_context_binary(beside ? beside->bytes() : node->context, system_library));
  const auto socs = htp_socs();
  const auto soc = std::ranges::find(socs, binary.soc, &HtpSoc::number);
  return CompiledFor{binary.qairt, soc == socs.end() ? 0 : soc->arch, binary.soc};
}

Status check_compiled_for(const CompiledFor& made, int soc, int arch, const std::string& version) {
  const bool other_chip = made.soc > 0 && soc > 0 && made.soc != soc;
  const bool other_arch = made.arch > 0 && arch > 0 && made.arch != arch;
  if (other_chip || other_arch)
    return unavailable("was compiled for " + name_of_soc(made.soc) + ", v" + std::to_string(made.arch) +
                       ", this is " + name_of_soc(soc) + ", v" + std::to_string(arch) +
                       "; compile it for this chip (sluice compile --soc)");
  if (!made.qairt.empty() && !version.empty() && version_of(made.qairt) > version_of(version))
    return unavailable("was compiled by QAIRT " + made.qairt + ", this is " + version +
                       "; compile it again, or install that version");
  return {};
}

}  // namespace sluice::htp
