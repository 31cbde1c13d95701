#include "backends/htp/compiled_model.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "framework/node/htp_socs.h"
#include "inference/onnx/wire.h"

namespace sluice::htp {
namespace {

// ModelProto.metadata_props and StringStringEntryProto of onnx.proto.
constexpr std::uint32_t kMetadata = 14, kKey = 1, kValue = 2;
constexpr std::string_view kInfoKey = "ep_compatibility_info.QNNExecutionProvider";

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
  const auto parts = split(metadata(model, kInfoKey), ':');
  if (parts.size() < 6 || parts[0] != "v2") return {};
  return {std::string(parts[2]), number_of(parts[4]), number_of(parts[5])};
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
