#include "tools/sluice/package_contents.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>

#include "framework/core/suggest.h"
#include "framework/node/sections.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;

// "rtsp:", "test:": an address, no file.
bool has_scheme(const std::string& text) {
  const std::size_t colon = text.find(':');
  return colon != std::string::npos && colon >= 2 &&
         std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon),
                     [](unsigned char c) { return std::isalnum(c) || c == '+' || c == '-' || c == '.'; });
}

class Collector {
 public:
  explicit Collector(const GraphSpec& spec) : spec_(spec) {}

  void models() {
    for (const ModelSpec& model : spec_.models) {
      const std::string name = "models/" + safe(model.name);
      add_model({model.name, {}, {}, model.sha256.value_or(""), model.dims}, model.path, model.path_mark,
                name);
      for (const VariantSpec& variant : model.variants)
        add_model({model.name, variant.name, {}, variant.sha256.value_or(""), model.dims}, variant.path,
                  variant.path_mark, name + "." + safe(variant.name));
    }
  }

  // Every path among written options, as they are declared.
  template <typename Declarations>
  void options(const std::string& owner, const Value& written, const Declarations& declared) {
    if (!written.map()) return;
    for (const Value::Entry& entry : *written.map()) {
      const auto found = std::find_if(declared.begin(), declared.end(),
                                      [&](const OptionDeclaration& d) { return d.name == entry.key; });
      if (found == declared.end()) continue;
      if (found->kind == OptionKind::kMap) options(owner, entry.value, found->children);
      if (entry.value.text()) option(owner + ": option " + in_quotes(entry.key), *found, entry.value);
    }
  }

  Result<PackageContents> take() {
    if (!problems_.empty()) return invalid(problems_);
    return std::move(out_);
  }

 private:
  void option(const std::string& owner, const OptionDeclaration& declared, const Value& value) {
    const std::string& text = *value.text();
    switch (declared.kind) {
      case OptionKind::kUri:
        if (!has_scheme(text)) input(owner, value);
        return;
      case OptionKind::kPath:
      case OptionKind::kTextsOrPath:
        return input(owner, value);
      case OptionKind::kPathOut:
        if (text != "-") output(value);
        return;
      default:
        return;
    }
  }

  void input(const std::string& owner, const Value& value) {
    const fs::path path = here(*value.text());
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (fs::is_character_file(status)) return;  // a camera
    if (!fs::is_regular_file(status) && !fs::is_directory(status)) {
      if (!problems_.empty()) problems_ += '\n';
      problems_ += fmt::format(
          "{}:{}: error: {} names '{}', which is no file or folder here; a package takes along what its "
          "pipeline reads",
          value.mark.line, value.mark.column, owner, *value.text());
      return;
    }
    const auto known = out_.files.find(path.string());
    const std::string to =
        known != out_.files.end() ? known->second : free_name("files", path.filename().string());
    out_.files[path.string()] = to;
    out_.paths.push_back({value.mark, *value.text(), to});
  }

  void output(const Value& value) {
    out_.paths.push_back(
        {value.mark, *value.text(), free_name("output", fs::path(*value.text()).filename().string())});
  }

  void add_model(ModelRequest request, const std::string& written, Mark mark, const std::string& folder) {
    const fs::path path = here(written);
    request.path = path.string();
    std::string file = folder + "/" + path.filename().string();
    out_.paths.push_back({mark, written, file});
    out_.models.push_back({std::move(request), std::move(file)});
  }

  fs::path here(const std::string& written) const {
    const fs::path path(written);
    return (path.is_absolute() ? path : fs::path(spec_.directory) / path).lexically_normal();
  }

  // Names of models are free text; those of folders are not.
  static std::string safe(std::string name) {
    for (char& c : name)
      if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-') c = '_';
    return name;
  }

  // Two files of one name get different ones.
  std::string free_name(const std::string& folder, const std::string& name) {
    std::string out = folder + "/" + name;
    for (int i = 2; !taken_.insert(out).second; ++i) out = folder + "/" + std::to_string(i) + "_" + name;
    return out;
  }

  const GraphSpec& spec_;
  std::set<std::string> taken_;
  std::string problems_;
  PackageContents out_;
};

}  // namespace

Result<PackageContents> package_contents(const GraphSpec& spec, const Registry& registry) {
  Collector collector(spec);
  collector.models();
  for (const NodeSpec& node : spec.nodes)
    if (const NodeDeclaration* const type = registry.find(node.type))
      collector.options("node " + in_quotes(node.id), node.options, type->options);
  collector.options("backends", spec.backends, backends_section());
  collector.options("device", spec.device, device_section());
  return collector.take();
}

}  // namespace sluice::cli
