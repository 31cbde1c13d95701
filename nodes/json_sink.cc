#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "framework/node/node.h"
#include "nodes/declare.h"
#include "nodes/json/json_text.h"
#include "nodes/json/line_file.h"
#include "nodes/json/packet_json.h"
#include "nodes/post_nodes.h"

namespace sluice {
namespace {

constexpr std::size_t kLineReserve = 64 * 1024;
constexpr int kTimeDecimals = 3;

// The key of each input: the name the file gives it, else its type's.
Result<std::vector<std::string>> keys_of(const std::vector<PortType>& edges,
                                         const std::vector<std::string>& names) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < edges.size(); ++i) {
    const std::string_view by_type = json_key(edges[i].payload);
    if (by_type.empty()) {
      const std::string_view type = edges[i].payload ? edges[i].payload->name : "unknown";
      return invalid(
          fmt::format("json_sink cannot write values of type '{}', allowed: detections, classes, text, "
                      "masks, tensor, frame",
                      type));
    }
    std::string key = i < names.size() && !names[i].empty() ? names[i] : std::string(by_type);
    if (key == "source" || key == "frame" || key == "time_ms") {
      return invalid(fmt::format("json_sink writes '{}' itself: give the input another name", key));
    }
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) {
      return invalid(
          fmt::format("two inputs of json_sink would be written as '{}': name them in a map, such as "
                      "inputs: {{first: ..., second: ...}}",
                      key));
    }
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<std::vector<PortType>> infer_types(const TypeContext& context) {
  SLUICE_RETURN_IF_ERROR(keys_of(context.inputs(0), context.input_names(0)).status());
  return std::vector<PortType>{};
}

// json_sink: writes one line of JSON per frame.
//
// Inputs   in  detections, classes, text, masks, tensors or frames (their size only); several become keys of
//              one object
// Outputs  none
// Options  path       a file, or "-" for standard output; default "-"
//          overwrite  replace an existing file; default false
// Line     {"source": "camera", "frame": 12, "time_ms": 400.0, "detections": [...]}; nodes/json/packet_json.h
//          has the values; of a node that makes several packets per frame, the list of them, null for one
//          that failed
// Drops    nothing; a full disk or a reader that went away is a failure
// Thread   its own
class JsonSink final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Writes one line of JSON per frame to a file or to standard output.");
    d.input("in", PortKind::kAny).any_number().help("What to write; several inputs become one object.");
    OptionDeclaration& path =
        d.option("path", OptionKind::kPathOut).help("The file; \"-\" is standard output.");
    path.fallback = OptionValue{std::string("-")};
    d.option("overwrite", false).help("Replace an existing file.");
    d.thread = ThreadKind::kOwn;
    d.sink = true;
    d.takes_lists = true;
    d.infer_types = infer_types;
  }

  Status open(const OpenContext& context) override {
    const std::vector<PortType>& edges = context.routes.front().inputs.at(0);
    const std::vector<std::string> names =
        context.input_names.empty() ? std::vector<std::string>{} : context.input_names.front();
    SLUICE_ASSIGN(const std::vector<std::string> keys, keys_of(edges, names));
    for (std::size_t i = 0; i < keys.size(); ++i) {
      std::string lead = ", ";
      append_text(lead, keys[i]);
      fields_.push_back({lead + ": ", edges[i].max_packets > 1});
    }
    for (const std::string& name : context.source_names) {
      std::string lead = "{\"source\": ";
      append_text(lead, name);
      sources_.push_back(lead + ", \"frame\": ");
    }
    line_.reserve(kLineReserve);
    return file_.prepare(context.options->text("path"), context.options->flag("overwrite"));
  }

  Status begin_run() override { return file_.create(); }

  Status process(Context& context) override {
    const FrameInfo& frame = context.frame();
    line_ = sources_.at(frame.source);
    append_integer(line_, static_cast<std::int64_t>(frame.number));
    line_ += ", \"time_ms\": ";
    append_decimal(line_, to_ms(frame.media_time), kTimeDecimals);
    for (std::size_t edge = 0; edge < fields_.size(); ++edge) {
      line_ += fields_[edge].lead;
      append_value(fields_[edge].list, context.packets(0, edge));
    }
    line_ += "}\n";
    return file_.write(line_);
  }

  Status close() override { return file_.close(); }

 private:
  struct Field {
    std::string lead;  // `, "key": `
    bool list;         // its node makes several packets per frame
  };

  void append_value(bool list, std::span<const Packet> packets) {
    if (packets.size() == 1 && !list) {
      append_packet(line_, packets.front());
      return;
    }
    line_ += '[';
    for (std::size_t i = 0; i < packets.size(); ++i) {
      if (i > 0) line_ += ", ";
      append_packet(line_, packets[i]);
    }
    line_ += ']';
  }

  std::vector<Field> fields_;
  std::vector<std::string> sources_;  // by FrameInfo::source: `{"source": "camera", "frame": `
  std::string line_;
  LineFile file_;
};

}  // namespace

NodeDeclaration json_sink_declaration() { return declare<JsonSink>("json_sink"); }

}  // namespace sluice
