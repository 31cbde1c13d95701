#include "tools/sluice/package_contents.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <set>

#include "framework/core/suggest.h"
#include "framework/node/sections.h"
#include "nodes/picture_pattern.h"

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

// A path's folder (ends in '/', or empty), as far as none of `special` is in it, and the rest.
std::pair<std::string, std::string> split_before(const std::string& path, std::string_view special) {
  const std::size_t slash = path.rfind('/', path.find_first_of(special));
  const std::size_t at = slash == std::string::npos ? 0 : slash + 1;
  return {path.substr(0, at), path.substr(at)};
}

class Collector {
 public:
  Collector(const GraphSpec& spec, Issues& issues) : spec_(spec), issues_(issues) {}

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

  void profile(const Value& device) {
    const Value* const profile = device.map() ? device.find("profile") : nullptr;
    if (profile && profile->text() && is_profile_path(*profile->text()))
      input("device: key 'profile'", *profile);
  }

  PackageContents take() { return std::move(out_); }

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
      if (pattern(value, path.string())) return;
      issues_.push_back(
          {value.mark,
           fmt::format("{} names '{}', which is no file or folder here; a package takes along what "
                       "its pipeline reads",
                       owner, *value.text())});
      return;
    }
    const auto [known, is_new] = known_.try_emplace(path.string());
    if (is_new) {
      known->second = free_name("files", path.filename().string());
      out_.files.emplace_back(path.string(), known->second);
    }
    out_.paths.push_back({value.mark, *value.text(), known->second});
  }

  // What a pattern matches goes to a folder of its own, where the pattern finds just that; false: nothing.
  bool pattern(const Value& value, const std::string& path) {
    if (path.find_first_of(kPatternCharacters) == std::string::npos) return false;
    const std::vector<std::string> matches = files_matching(path);
    if (matches.empty()) return false;
    const auto [folder, rest] = split_before(path, kPatternCharacters);
    const std::string name = fs::path(folder).parent_path().filename().string();
    const std::string to = free_name("files", name.empty() ? "pictures" : name) + "/";
    for (const std::string& match : matches) out_.files.emplace_back(match, to + match.substr(folder.size()));
    out_.paths.push_back({value.mark, *value.text(), to + rest});
    return true;
  }

  // Sinks of one folder share one, those of two stay apart, as their files may have the same names.
  void output(const Value& value) {
    const fs::path path = here(*value.text());
    std::error_code error;
    const bool folder = fs::is_directory(path, error) && path.has_filename();
    const auto [parent, rest] = split_before(path.string() + (folder ? "/" : ""), "{");
    const auto [known, is_new] = output_folders_.try_emplace(parent);
    if (is_new && output_folders_.size() == 1) known->second = out_.outputs.front();
    if (is_new && output_folders_.size() > 1) {
      known->second = free_folder(out_.outputs.front());
      out_.outputs.push_back(known->second);
    }
    const std::string to = rest.empty() ? known->second + "/" : free_name(known->second, rest);
    out_.paths.push_back({value.mark, *value.text(), to});
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
    for (int i = 2; !taken_.insert(out).second; ++i) out = fmt::format("{}/{}_{}", folder, i, name);
    return out;
  }

  // "output/2", "output/3", ...
  std::string free_folder(const std::string& folder) {
    for (int i = 2;; ++i) {
      std::string out = folder + "/" + std::to_string(i);
      if (taken_.insert(out).second) return out;
    }
  }

  const GraphSpec& spec_;
  Issues& issues_;
  std::set<std::string> taken_;
  std::map<std::string, std::string> known_;           // path here -> path in the package
  std::map<std::string, std::string> output_folders_;  // the same of folders that sinks write to
  PackageContents out_;
};

}  // namespace

PackageContents package_contents(const GraphSpec& spec, const Registry& registry, Issues& issues) {
  Collector collector(spec, issues);
  collector.models();
  for (const NodeSpec& node : spec.nodes)
    if (const NodeDeclaration* const type = registry.find(node.type))
      collector.options("node " + in_quotes(node.id), node.options, type->options);
  collector.options("backends", spec.backends, backends_section());
  collector.options("device", spec.device, device_section());
  collector.profile(spec.device);
  return collector.take();
}

}  // namespace sluice::cli
