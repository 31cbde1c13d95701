// Operators that only move elements.
#include <algorithm>
#include <numeric>

#include "backends/gpu/ops/lowering.h"

namespace sluice::gpu {
namespace {

// Runs of axes that both sides step through alike become one; leading ones fill up to 8.
void collapse(Dims& dims, Dims& from, Dims& to) {
  Dims d, f, t;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 1) continue;
    const bool joins = !d.empty() && f.back() == from[i] * dims[i] && t.back() == to[i] * dims[i];
    if (joins) {
      d.back() *= dims[i];
      f.back() = from[i];
      t.back() = to[i];
    } else {
      d.push_back(dims[i]);
      f.push_back(from[i]);
      t.push_back(to[i]);
    }
  }
  dims = std::move(d);
  from = std::move(f);
  to = std::move(t);
}

bool in_fours(const Dims& dims, const View& from, const View& to) {
  if (dims.empty() || from.strides.back() != 1 || to.strides.back() != 1 || dims.back() % 4 != 0)
    return false;
  if (from.offset % 4 != 0 || to.offset % 4 != 0) return false;
  for (std::size_t i = 0; i + 1 < dims.size(); ++i)
    if (from.strides[i] % 4 != 0 || to.strides[i] % 4 != 0) return false;
  return true;
}

// Start, step and size per axis of a Slice.
struct Range {
  std::int64_t start = 0, step = 1;
};

std::vector<std::int64_t> integers_at(const Graph& graph, const Node& node, std::size_t input,
                                      const char* attribute) {
  if (node.has_input(input))
    return constant_integers(graph.input(node, input)).value_or(std::vector<std::int64_t>{});
  return node.integers(attribute, {});
}

std::vector<Range> ranges_of(const Graph& graph, const Node& node) {
  const Dims& x = graph.input(node, 0).dims;
  std::vector<Range> ranges(x.size());
  const auto starts = integers_at(graph, node, 1, "starts");
  auto axes = integers_at(graph, node, 3, "axes");
  const auto steps = integers_at(graph, node, 4, "steps");
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::size_t axis = axis_of(axes[i], x.size());
    const std::int64_t step = steps.empty() ? 1 : steps[i];
    std::int64_t start = starts[i] < 0 ? starts[i] + x[axis] : starts[i];
    start = step > 0 ? std::clamp<std::int64_t>(start, 0, x[axis])
                     : std::clamp<std::int64_t>(start, 0, x[axis] - 1);
    ranges[axis] = {start, step};
  }
  return ranges;
}

std::string check_constants(const Graph& graph, const Node& node, std::size_t first, std::size_t last) {
  for (std::size_t i = first; i <= last && i < node.inputs.size(); ++i)
    if (node.has_input(i) && !constant_integers(graph.input(node, i)))
      return "has parameters that only the run knows";
  return {};
}

// Only the channels are cut, and the value is at hand packed: stay there.
bool picks_channels(const Builder& builder, const Node& node, const Dims& out) {
  const Dims& x = builder.graph().input(node, 0).dims;
  if (!builder.has_packed(node.inputs[0]) || x.size() < 3) return false;
  for (std::size_t i = 0; i < x.size(); ++i)
    if (i != 1 && x[i] != out[i]) return false;
  return true;
}

// A whole axis that is turned round has the size that it had.
bool turns_channels_at_most(const std::vector<Range>& ranges) {
  for (std::size_t i = 0; i < ranges.size(); ++i)
    if (i != 1 && ranges[i].step < 0) return false;
  return true;
}

void pick(Builder& builder, const Node& node, std::size_t output, const std::vector<std::int32_t>& channels) {
  const Planes in = planes_of(builder.graph().input(node, 0).dims);
  const Planes out = planes_of(builder.graph().value(node.outputs[output]).dims);
  std::vector<std::int32_t> table = channels;
  table.resize(static_cast<std::size_t>(out.groups()) * 4, -1);
  const SlotId from = builder.packed(node.inputs[0]);
  builder.launch(
      "move", "pick_channels",
      {Reads{from}, Writes{builder.make_packed(node.outputs[output])}, Reads{builder.integers(table)},
       narrow(in.pixels), narrow(in.groups()), narrow(out.groups())},
      {out.pixels, out.groups(), out.n});
}

// `values` behind so many fillers that there are 8.
void append_eight(std::vector<std::int32_t>& words, const Dims& values, std::int32_t filler) {
  words.insert(words.end(), 8 - values.size(), filler);
  for (const std::int64_t value : values) words.push_back(narrow(value));
}

std::vector<std::int32_t> run_of(std::int64_t start, std::int64_t step, std::int64_t count) {
  std::vector<std::int32_t> out;
  out.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) out.push_back(narrow(start + i * step));
  return out;
}

}  // namespace

Dims dense_strides(const Dims& dims) {
  Dims strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

void launch_place(Builder& builder, const Dims& dims, const View& from, const View& to) {
  Dims d = dims;
  View f = from;
  View t = to;
  collapse(d, f.strides, t.strides);
  const bool fours = in_fours(d, f, t);
  if (fours) {
    d.back() /= 4;
    for (std::size_t i = 0; i + 1 < d.size(); ++i) {
      f.strides[i] /= 4;
      t.strides[i] /= 4;
    }
    f.offset /= 4;
    t.offset /= 4;
  }
  const bool sixteens = fours && builder.lanes() == 16 && d.back() % 4 == 0;
  if (sixteens) {
    d.back() /= 4;
    f.strides.back() = t.strides.back() = 4;
  }
  std::vector<std::int32_t> words;
  append_eight(words, d, 1);
  append_eight(words, f.strides, 0);
  append_eight(words, t.strides, 0);
  words.push_back(narrow(f.offset));
  words.push_back(narrow(t.offset));
  builder.launch("move",
                 sixteens ? "place16"
                 : fours  ? "place4"
                          : "place",
                 {Reads{f.slot}, Writes{t.slot}, Reads{builder.integers(words)}, narrow(product(d))},
                 {product(d)});
}

std::string check_alias(const Graph& graph, const Node& node) {
  return graph.input(node, 0).count() == graph.output(node).count() ? "" : "changes the number of elements";
}

Status lower_alias(Builder& builder, const Node& node) {
  builder.alias(node.outputs[0], node.inputs[0]);
  return {};
}

std::string check_concat(const Graph& graph, const Node& node) {
  for (std::size_t i = 0; i < node.inputs.size(); ++i)
    if (!node.has_input(i) || !graph.input(node, i).known) return "has an input whose shape is not fixed";
  return {};
}

Status lower_concat(Builder& builder, const Node& node) {
  const Graph& graph = builder.graph();
  const Dims& out = graph.output(node).dims;
  const std::size_t axis = axis_of(node.integer("axis", 0), out.size());
  bool packed = axis == 1 && out.size() >= 3;
  for (std::size_t i = 0; i < node.inputs.size() && packed; ++i)
    packed = builder.has_packed(node.inputs[i]) &&
             (i + 1 == node.inputs.size() || graph.input(node, i).dims[1] % 4 == 0);
  const Planes planes = planes_of(out);
  std::vector<SlotId> sources;
  sources.reserve(node.inputs.size());
  for (const ValueId input : node.inputs)
    sources.push_back(packed ? builder.packed(input) : builder.plain(input));
  const bool again = std::ranges::count(sources, sources[0]) > 1;
  const auto extended =
      packed && !again ? builder.extend_packed(node.outputs[0], node.inputs[0]) : std::optional<SlotId>();
  const SlotId y = extended ? *extended
                   : packed ? builder.make_packed(node.outputs[0])
                            : builder.make_plain(node.outputs[0]);
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const Dims& x = graph.input(node, i).dims;
    if (packed) {
      const std::int64_t block = planes_of(x).groups() * 4 * planes.pixels;
      if (i > 0 || !extended)
        launch_place(builder, {planes.n, block}, {sources[i], {block, 1}, 0},
                     {y, {planes.groups() * 4 * planes.pixels, 1}, offset});
      offset += block;
    } else {
      const Dims strides = dense_strides(out);
      launch_place(builder, x, {sources[i], dense_strides(x), 0}, {y, strides, offset});
      offset += x[axis] * strides[axis];
    }
  }
  return {};
}

std::string check_transpose(const Graph&, const Node&) { return {}; }

Status lower_transpose(Builder& builder, const Node& node) {
  const Dims& x = builder.graph().input(node, 0).dims;
  const Dims& y = builder.graph().output(node).dims;
  Dims reversed(x.size());
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  const Dims order = node.integers("perm", reversed);
  // To NHWC from the packed layout: one pass.
  if (x.size() == 4 && order == Dims{0, 2, 3, 1} && builder.has_packed(node.inputs[0])) {
    const Planes planes = planes_of(x);
    const SlotId from = builder.packed(node.inputs[0]);
    builder.launch(
        "layout", "from_c4",
        {Reads{from}, Writes{builder.make_plain(node.outputs[0])}, narrow(planes.channels),
         narrow(planes.pixels), narrow(planes.channels * planes.pixels), 1, narrow(planes.channels)},
        {planes.pixels, planes.groups(), planes.n});
    return {};
  }
  const Dims strides = dense_strides(x);
  Dims from(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) from[i] = strides[static_cast<std::size_t>(order[i])];
  const SlotId source = builder.plain(node.inputs[0]);
  launch_place(builder, y, {source, from, 0}, {builder.make_plain(node.outputs[0]), dense_strides(y), 0});
  return {};
}

// Channel g * (channels / groups) + i goes to i * groups + g; where the value is at hand packed, it stays so.
Status lower_shuffle(Builder& builder, const Node& node) {
  const Planes planes = planes_of(builder.graph().input(node, 0).dims);
  const std::int64_t groups = node.integer("groups", 1);
  const std::int64_t each = planes.channels / groups;
  if (builder.has_packed(node.inputs[0])) {
    std::vector<std::int32_t> channels;
    for (std::int64_t i = 0; i < each; ++i)
      for (std::int64_t g = 0; g < groups; ++g) channels.push_back(narrow(g * each + i));
    pick(builder, node, 0, channels);
    return {};
  }
  const Dims dims = {planes.n, each, groups, planes.pixels};
  const SlotId source = builder.plain(node.inputs[0]);
  launch_place(builder, dims,
               {source, {planes.channels * planes.pixels, planes.pixels, each * planes.pixels, 1}, 0},
               {builder.make_plain(node.outputs[0]), dense_strides(dims), 0});
  return {};
}

std::string check_slice(const Graph& graph, const Node& node) { return check_constants(graph, node, 1, 4); }

Status lower_slice(Builder& builder, const Node& node) {
  const Graph& graph = builder.graph();
  const Dims& x = graph.input(node, 0).dims;
  const Dims& y = graph.output(node).dims;
  const std::vector<Range> ranges = ranges_of(graph, node);
  if (picks_channels(builder, node, y) && turns_channels_at_most(ranges)) {
    pick(builder, node, 0, run_of(ranges[1].start, ranges[1].step, y[1]));
    return {};
  }
  Dims strides = dense_strides(x);
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    offset += ranges[i].start * strides[i];
    strides[i] *= ranges[i].step;
  }
  const SlotId source = builder.plain(node.inputs[0]);
  launch_place(builder, y, {source, strides, offset},
               {builder.make_plain(node.outputs[0]), dense_strides(y), 0});
  return {};
}

std::string check_split(const Graph& graph, const Node& node) { return check_constants(graph, node, 1, 1); }

Status lower_split(Builder& builder, const Node& node) {
  const Graph& graph = builder.graph();
  const Dims& x = graph.input(node, 0).dims;
  const std::size_t axis = axis_of(node.integer("axis", 0), x.size());
  const Dims strides = dense_strides(x);
  std::int64_t start = 0;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNone) continue;
    const Dims& y = graph.value(node.outputs[i]).dims;
    if (axis == 1 && picks_channels(builder, node, y)) {
      pick(builder, node, i, run_of(start, 1, y[1]));
    } else {
      const SlotId source = builder.plain(node.inputs[0]);
      launch_place(builder, y, {source, strides, start * strides[axis]},
                   {builder.make_plain(node.outputs[i]), dense_strides(y), 0});
    }
    start += y[axis];
  }
  return {};
}

namespace {

// By axis of x.
struct Pads {
  Dims before, after;
};

Pads pads_of(const Graph& graph, const Node& node) {
  const std::size_t rank = graph.input(node, 0).dims.size();
  const auto pads = integers_at(graph, node, 1, "pads");
  auto axes = integers_at(graph, node, 3, "axes");
  if (axes.empty()) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
  }
  Pads out{Dims(rank, 0), Dims(rank, 0)};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    out.before[axis_of(axes[i], rank)] = pads[i];
    out.after[axis_of(axes[i], rank)] = pads[axes.size() + i];
  }
  return out;
}

bool cuts(const Graph& graph, const Node& node) {
  const auto [before, after] = pads_of(graph, node);
  const auto negative = [](std::int64_t pad) { return pad < 0; };
  return std::ranges::any_of(before, negative) || std::ranges::any_of(after, negative);
}

}  // namespace

std::string check_pad(const Graph& graph, const Node& node) {
  if (std::string why = check_constants(graph, node, 1, 1); !why.empty()) return why;
  if (std::string why = check_constants(graph, node, 3, 3); !why.empty()) return why;
  if (node.has_input(2) && !constant_floats(graph.input(node, 2)))
    return "has a value that only the run knows";
  if (node.text("mode", "constant") == "wrap" && cuts(graph, node))
    return "wraps an axis that it also cuts, which ONNX leaves open";
  return {};
}

Status lower_pad(Builder& builder, const Node& node) {
  const Graph& graph = builder.graph();
  const Dims& x = graph.input(node, 0).dims;
  const Dims& y = graph.output(node).dims;
  const Dims before = pads_of(graph, node).before;
  const float value = node.has_input(2)
                          ? constant_floats(graph.input(node, 2)).value_or(std::vector<float>{0})[0]
                          : node.number("value", 0);
  const std::string mode = node.text("mode", "constant");
  const std::int32_t code = mode == "edge" ? 1 : mode == "reflect" ? 2 : mode == "wrap" ? 3 : 0;
  std::vector<std::int32_t> words;
  append_eight(words, y, 1);
  append_eight(words, x, 1);
  append_eight(words, before, 0);
  const SlotId source = builder.plain(node.inputs[0]);
  builder.launch("move", "pad",
                 {Reads{source}, Writes{builder.make_plain(node.outputs[0])}, Reads{builder.integers(words)},
                  narrow(product(y)), code, value},
                 {product(y)});
  return {};
}

std::string check_block(const Graph& graph, const Node& node) {
  return graph.input(node, 0).dims.size() == 4 ? "" : "has no 4 dimensions";
}

Status lower_depth_to_space(Builder& builder, const Node& node) {
  const Dims& x = builder.graph().input(node, 0).dims;
  const Dims& y = builder.graph().output(node).dims;
  const std::int64_t b = node.integer("blocksize", 1);
  const std::int64_t c = y[1];
  const std::int64_t h = x[2];
  const std::int64_t w = x[3];
  const bool crd = node.text("mode", "DCR") == "CRD";
  // Axes of the output: n, c, h, by, w, bx.
  const std::int64_t of_c = crd ? b * b * h * w : h * w;
  const std::int64_t of_by = crd ? b * h * w : b * c * h * w;
  const std::int64_t of_bx = crd ? h * w : c * h * w;
  const Dims dims = {x[0], c, h, b, w, b};
  const SlotId source = builder.plain(node.inputs[0]);
  launch_place(builder, dims, {source, {x[1] * h * w, of_c, w, of_by, 1, of_bx}, 0},
               {builder.make_plain(node.outputs[0]), dense_strides(dims), 0});
  return {};
}

Status lower_space_to_depth(Builder& builder, const Node& node) {
  const Dims& x = builder.graph().input(node, 0).dims;
  const std::int64_t b = node.integer("blocksize", 1);
  const std::int64_t c = x[1];
  const std::int64_t h = x[2] / b;
  const std::int64_t w = x[3] / b;
  // Axes of the output: n, by, bx, c, h, w.
  const Dims dims = {x[0], b, b, c, h, w};
  const Dims from = {c * x[2] * x[3], x[3], 1, x[2] * x[3], b * x[3], b};
  const SlotId source = builder.plain(node.inputs[0]);
  launch_place(builder, dims, {source, from, 0},
               {builder.make_plain(node.outputs[0]), dense_strides(dims), 0});
  return {};
}

std::string check_expand(const Graph& graph, const Node& node) { return check_constants(graph, node, 1, 1); }

Status lower_expand(Builder& builder, const Node& node) {
  const Dims& x = builder.graph().input(node, 0).dims;
  const Dims& y = builder.graph().output(node).dims;
  const Dims strides = dense_strides(x);
  Dims from(y.size(), 0);
  for (std::size_t i = 0; i < x.size(); ++i)
    if (x[i] != 1) from[y.size() - x.size() + i] = strides[i];
  const SlotId source = builder.plain(node.inputs[0]);
  launch_place(builder, y, {source, from, 0}, {builder.make_plain(node.outputs[0]), dense_strides(y), 0});
  return {};
}

}  // namespace sluice::gpu
