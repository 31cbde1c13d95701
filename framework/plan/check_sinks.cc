// No sink may write where another writes, or what the run reads.
#include <filesystem>
#include <map>
#include <optional>

#include "framework/core/suggest.h"
#include "framework/plan/draft.h"
#include "framework/plan/output_name.h"

namespace sluice::planning {
namespace {

namespace fs = std::filesystem;

// One name per file, whether it exists or not.
std::string real_name(const std::string& path) {
  std::error_code error;
  const auto real = fs::weakly_canonical(fs::absolute(path, error), error);
  return error ? path : real.string();
}

// A file may have several names (hard links).
bool same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  return a == b || fs::equivalent(a, b, error);
}

bool is_read(OptionKind kind) {
  return kind == OptionKind::kPath || kind == OptionKind::kUri || kind == OptionKind::kTextsOrPath;
}

// Files and folders that the run reads, and who reads each.
std::map<std::string, std::string> files_read(Draft& d) {
  std::map<std::string, std::string> out;
  if (!d.spec.file.empty()) out.emplace(real_name(d.spec.file), "it is the pipeline file itself");
  for (const ModelPlan& model : d.plan->models) {
    const std::string reader = "model '" + model.name + "' is read from there";
    out.emplace(real_name(model.path), reader);
    for (const ModelPlan::Variant& v : model.variants) out.emplace(real_name(v.path), reader);
  }
  for (int n = 0; n < static_cast<int>(d.nodes.size()); ++n) {
    if (!d.draft(n).known) continue;
    for (const OptionDeclaration& option : d.type(n).options) {
      if (!is_read(option.kind) || !d.node(n).options->has(option.name)) continue;
      const auto* path = std::get_if<std::string>(&d.node(n).options->value(option.name).data);
      if (path) out.emplace(real_name(*path), "'" + d.node(n).id + "' reads it");
    }
  }
  return out;
}

struct Output {
  int node = -1;
  std::string option;
  std::string path;   // as one name per file
  std::string names;  // what can come of it
};

// "-" is standard output.
std::vector<Output> outputs_of(Draft& d) {
  std::vector<Output> out;
  for (int n = 0; n < static_cast<int>(d.nodes.size()); ++n) {
    if (!d.draft(n).known) continue;
    const int source = d.node(n).source;
    const std::string id =
        source < 0 ? "" : d.node(d.plan->sources[static_cast<std::size_t>(source)].node).id;
    for (const OptionDeclaration& option : d.type(n).options) {
      if (option.kind != OptionKind::kPathOut || !d.node(n).options->has(option.name)) continue;
      const std::string& path = d.node(n).options->text(option.name);
      if (path == "-")
        out.push_back({n, option.name, path, path});
      else
        out.push_back({n, option.name, real_name(path), real_name(output_names(path, id))});
    }
  }
  return out;
}

void refuse_output(Draft& d, const Output& output, const std::string& why) {
  const Value* written = d.draft(output.node).spec->options.find(output.option);
  d.error(written ? written->mark : d.node(output.node).mark,
          d.owner(output.node) + ": option '" + output.option + "' is " +
              in_quotes(d.node(output.node).options->text(output.option)) + ", but " + why);
}

void refuse_same_names(Draft& d, const std::vector<Output>& earlier, const Output& output) {
  for (const Output& other : earlier) {
    const std::string owner = "'" + d.node(other.node).id + "'";
    if (same_file(other.path, output.path)) {
      return refuse_output(d, output,
                           owner + " writes there too; two sinks on one path would mix their output");
    }
    if (can_meet(other.names, output.names)) {
      return refuse_output(d, output,
                           owner + " (" + in_quotes(d.node(other.node).options->text(other.option)) +
                               ") can give the same file name; one would replace or refuse the other's file");
    }
  }
}

// A file of the output's own folder that a reader of `path`, the folder or a pattern in it, reads too.
std::optional<std::string> overwritten(const std::string& path, const Output& output) {
  const fs::path names(output.names);
  const bool pattern = path.find_first_of("*?[") != std::string::npos;
  if ((pattern ? fs::path(path).parent_path() : fs::path(path)) != names.parent_path()) return std::nullopt;
  std::error_code error;
  for (fs::directory_iterator it(names.parent_path(), error), end; !error && it != end; it.increment(error)) {
    if (can_meet(names.filename().string(), it->path().filename().string())) return it->path().string();
  }
  return std::nullopt;
}

void refuse_what_is_read(Draft& d, const std::map<std::string, std::string>& read, const Output& output) {
  for (const auto& [path, reader] : read) {
    if (same_file(path, output.path)) return refuse_output(d, output, reader + "; writing would destroy it");
  }
  for (const auto& [path, reader] : read) {
    const bool itself = can_meet(output.names, path);
    const std::optional<std::string> file = itself ? path : overwritten(path, output);
    if (!file) continue;
    return refuse_output(
        d, output,
        "it can give the name " + in_quotes(*file) + ", and " + reader + "; writing would destroy it");
  }
}

}  // namespace

void check_sinks(Draft& d) {
  const std::map<std::string, std::string> read = files_read(d);
  const std::vector<Output> outputs = outputs_of(d);
  std::vector<Output> earlier;
  for (const Output& output : outputs) {
    refuse_same_names(d, earlier, output);
    if (output.path != "-") refuse_what_is_read(d, read, output);
    earlier.push_back(output);
  }
}

}  // namespace sluice::planning
