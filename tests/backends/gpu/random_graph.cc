#include "tests/backends/gpu/random_graph.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "tests/backends/gpu/random_maker.h"

namespace sluice::testing {
namespace {

// Puts the operator behind `x` when it can; false: not with this tensor.
using Rule = std::function<bool(Maker&, const Tensor&)>;

bool is_image(const Tensor& x) { return x.dims.size() == 4; }

std::int64_t windows(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t dilation,
                     std::int64_t pads) {
  return (in + pads - dilation * (kernel - 1) - 1) / stride + 1;
}

bool conv(Maker& m, const Tensor& x) {
  if (!is_image(x)) return false;
  const std::int64_t c = x.dims[1];
  const std::int64_t k = m.pick(1, 3), s = m.pick(1, 2), d = k > 1 ? m.pick(1, 2) : 1;
  const Dims pads = {m.pick(0, 1), m.pick(0, 2), m.pick(0, 1), m.pick(0, 1)};
  const std::int64_t h = windows(x.dims[2], k, s, d, pads[0] + pads[2]),
                     w = windows(x.dims[3], k, s, d, pads[1] + pads[3]);
  if (h < 1 || w < 1 || x.dims[2] < d * (k - 1) + 1 || x.dims[3] < d * (k - 1) + 1) return false;
  const int kind = m.pick(0, 3);
  const std::int64_t groups = kind == 0 ? c : kind == 1 && c % 2 == 0 ? 2 : 1;
  const std::int64_t oc = kind == 0 ? c : groups * m.pick(1, 10);
  const std::int64_t terms = c / groups * k * k;  // of a sum
  const float scale = 1.0F / std::sqrt(static_cast<float>(terms));
  std::vector<std::string> inputs = {x.name, m.constant({oc, c / groups, k, k}, -scale, scale)};
  if (m.pick(0, 1)) inputs.push_back(m.constant({oc}, -1, 1));
  m.accumulate(static_cast<double>(terms));
  m.put("Conv", inputs, {x.dims[0], oc, h, w},
        {{"kernel_shape", {k, k}},
         {"strides", {s, s}},
         {"dilations", {d, d}},
         {"pads", pads},
         {"group", {groups}}});
  return true;
}

bool conv_transpose(Maker& m, const Tensor& x) {
  if (!is_image(x)) return false;
  const std::int64_t c = x.dims[1], k = m.pick(1, 3), s = m.pick(1, 2), p = k > 1 ? m.pick(0, 1) : 0,
                     oc = m.pick(1, 9);
  const std::int64_t h = s * (x.dims[2] - 1) + k - 2 * p, w = s * (x.dims[3] - 1) + k - 2 * p;
  if (h < 1 || w < 1) return false;
  const float scale = 1.0F / std::sqrt(static_cast<float>(c * k * k));
  m.accumulate(static_cast<double>(c * k * k));
  m.put("ConvTranspose", {x.name, m.constant({c, oc, k, k}, -scale, scale)}, {x.dims[0], oc, h, w},
        {{"kernel_shape", {k, k}}, {"strides", {s, s}}, {"pads", {p, p, p, p}}});
  return true;
}

Rule pool(const std::string& op) {
  return [op](Maker& m, const Tensor& x) {
    const std::int64_t k = m.pick(2, 3), s = m.pick(1, 2), p = m.pick(0, 1);
    if (!is_image(x) || x.dims[2] < k || x.dims[3] < k) return false;
    std::map<std::string, Dims> ints = {
        {"kernel_shape", {k, k}}, {"strides", {s, s}}, {"pads", {p, p, p, p}}};
    if (op == "AveragePool") ints["count_include_pad"] = {m.pick(0, 1)};
    m.put(op, {x.name},
          {x.dims[0], x.dims[1], windows(x.dims[2], k, s, 1, 2 * p), windows(x.dims[3], k, s, 1, 2 * p)},
          ints);
    return true;
  };
}

Rule global_pool(const std::string& op) {
  return [op](Maker& m, const Tensor& x) {
    if (!is_image(x)) return false;
    m.put(op, {x.name}, {x.dims[0], x.dims[1], 1, 1});
    return true;
  };
}

Rule unary(const std::string& op) {
  return [op](Maker& m, const Tensor& x) {
    m.put(op, {x.name}, x.dims);
    return true;
  };
}

// Jumps: only of values that are the same on both sides to the last bit.
Rule jump(const std::string& op) {
  return [op](Maker& m, const Tensor& x) {
    m.put(op, {m.input(x.dims).name}, x.dims);
    return true;
  };
}

// Defined for positive values only.
Rule positive(const std::string& op) {
  return [op](Maker& m, const Tensor& x) {
    m.put("Abs", {x.name}, x.dims);
    m.values.back().read = true;
    m.put("Add", {m.values.back().name, m.scalar(0.5F)}, x.dims);
    m.values.back().read = true;
    const std::string name = m.values.back().name;
    if (op == "Pow")
      m.put(op, {name, m.scalar(m.number(0.5F, 2.5F))}, x.dims);
    else
      m.put(op, {name}, x.dims);
    return true;
  };
}

bool bounded_exp(Maker& m, const Tensor& x) {
  m.put("Clip", {x.name, m.scalar(-3), m.scalar(2)}, x.dims);
  m.values.back().read = true;
  m.put("Exp", {m.values.back().name}, x.dims);
  return true;
}

Rule binary(const std::string& op) {
  return [op](Maker& m, const Tensor& x) {
    Dims other = x.dims;
    for (std::int64_t& dim : other)
      if (m.pick(0, 2) == 0) dim = 1;
    if (m.pick(0, 3) == 0 && !other.empty()) other.erase(other.begin());
    const bool constant = m.pick(0, 1) != 0;
    const float low = op == "Div" ? 0.5F : -1.5F;
    const std::string name = constant || op == "Div" ? m.constant(other, low, 1.5F) : m.input(other).name;
    const bool swapped = op != "Div" && op != "PRelu" && m.pick(0, 1) != 0;
    if (op == "PRelu" && other.size() > x.dims.size()) return false;
    m.put(op, swapped ? std::vector{name, x.name} : std::vector{x.name, name}, x.dims);
    return true;
  };
}

bool add_like(Maker& m, const Tensor& x) {
  for (Tensor& other : m.values)
    if (other.dims == x.dims && other.name != x.name) {
      other.read = true;
      m.put("Add", {other.name, x.name}, x.dims);
      return true;
    }
  return false;
}

bool batch_norm(Maker& m, const Tensor& x) {
  if (x.dims.size() < 2) return false;
  const Dims c = {x.dims[1]};
  m.put(
      "BatchNormalization",
      {x.name, m.constant(c, 0.5F, 1.5F), m.constant(c, -1, 1), m.constant(c, -1, 1), m.constant(c, 0.5F, 2)},
      x.dims);
  return true;
}

bool instance_norm(Maker& m, const Tensor& x) {
  if (!is_image(x) || x.dims[2] * x.dims[3] < 4) return false;
  m.put("InstanceNormalization",
        {x.name, m.constant({x.dims[1]}, 0.5F, 1.5F), m.constant({x.dims[1]}, -1, 1)}, x.dims, {},
        {{"epsilon", 0.1F}});
  return true;
}

bool layer_norm(Maker& m, const Tensor& x) {
  if (x.dims.empty() || x.dims.back() < 3) return false;
  const Dims row = {x.dims.back()};
  m.put("LayerNormalization", {x.name, m.constant(row, 0.5F, 1.5F), m.constant(row, -1, 1)}, x.dims,
        {{"axis", {-1}}}, {{"epsilon", 0.1F}});
  return true;
}

Rule softmax(const std::string& op) {
  return [op](Maker& m, const Tensor& x) {
    if (x.dims.empty()) return false;
    m.put(op, {x.name}, x.dims, {{"axis", {m.pick(0, static_cast<int>(x.dims.size()) - 1)}}});
    return true;
  };
}

Rule reduce(const std::string& op) {
  return [op](Maker& m, const Tensor& x) {
    if (x.dims.empty()) return false;
    Dims axes, dims = x.dims;
    for (std::size_t i = 0; i < x.dims.size(); ++i)
      if (m.pick(0, 1)) {
        axes.push_back(static_cast<std::int64_t>(i));
        m.accumulate(static_cast<double>(x.dims[i]));
        dims[i] = 1;
      }
    if (axes.empty()) return false;
    m.put(op, {x.name, m.integers(axes)}, dims, {{"keepdims", {1}}});
    return true;
  };
}

bool concat(Maker& m, const Tensor& x) {
  if (x.dims.empty()) return false;
  const auto axis = static_cast<std::size_t>(m.pick(0, static_cast<int>(x.dims.size()) - 1));
  Dims other = x.dims;
  other[axis] = m.pick(1, 4);
  Dims dims = x.dims;
  dims[axis] += other[axis];
  m.put("Concat", {x.name, m.input(other).name}, dims, {{"axis", {static_cast<std::int64_t>(axis)}}});
  return true;
}

bool split(Maker& m, const Tensor& x) {
  for (std::size_t axis = 0; axis < x.dims.size(); ++axis) {
    if (x.dims[axis] < 2) continue;
    const std::int64_t first = m.pick(1, static_cast<int>(x.dims[axis]) - 1);
    onnx::NodeProto& node = m.add("Split", {x.name, m.integers({first, x.dims[axis] - first})}, 2);
    Maker::attribute(node, "axis", {static_cast<std::int64_t>(axis)});
    for (int i = 0; i < 2; ++i) {
      Dims dims = x.dims;
      dims[axis] = i == 0 ? first : x.dims[axis] - first;
      m.values.push_back({node.output(i), dims, false});
    }
    return true;
  }
  return false;
}

bool slice(Maker& m, const Tensor& x) {
  for (std::size_t axis = x.dims.size(); axis-- > 0;) {
    if (x.dims[axis] < 3) continue;
    const bool backwards = m.pick(0, 1) != 0;
    const std::int64_t step = backwards ? -m.pick(1, 2) : m.pick(1, 2);
    const std::int64_t start = backwards ? x.dims[axis] - 1 : 1, end = backwards ? 0 : x.dims[axis];
    Dims dims = x.dims;
    dims[axis] = (std::abs(end - start) + std::abs(step) - 1) / std::abs(step);
    m.put("Slice",
          {x.name, m.integers({start}), m.integers({end}), m.integers({static_cast<std::int64_t>(axis)}),
           m.integers({step})},
          dims);
    return true;
  }
  return false;
}

bool transpose(Maker& m, const Tensor& x) {
  Dims order;
  for (std::size_t i = 0; i < x.dims.size(); ++i) order.push_back(static_cast<std::int64_t>(i));
  if (x.dims.size() < 2) return false;
  std::shuffle(order.begin(), order.end(), m.random());
  Dims dims;
  for (const std::int64_t axis : order) dims.push_back(x.dims[static_cast<std::size_t>(axis)]);
  m.put("Transpose", {x.name}, dims, {{"perm", order}});
  return true;
}

// ShuffleNet's: channels seen as groups, groups and channels swapped, and seen as channels again. The backend
// makes one pass of the three.
bool shuffle_channels(Maker& m, const Tensor& x) {
  if (x.dims.size() < 3) return false;
  Dims groups;
  for (std::int64_t g = 2; g <= x.dims[1]; ++g)
    if (x.dims[1] % g == 0) groups.push_back(g);
  if (groups.empty()) return false;
  const std::int64_t g = groups[static_cast<std::size_t>(m.pick(0, static_cast<int>(groups.size()) - 1))];
  Dims apart = {x.dims[0], g, x.dims[1] / g}, order = {0, 2, 1};
  apart.insert(apart.end(), x.dims.begin() + 2, x.dims.end());
  while (order.size() < apart.size()) order.push_back(static_cast<std::int64_t>(order.size()));
  m.put("Reshape", {x.name, m.integers(apart)}, apart);
  m.values.back().read = true;
  std::swap(apart[1], apart[2]);
  m.put("Transpose", {m.values.back().name}, apart, {{"perm", order}});
  m.values.back().read = true;
  m.put("Reshape", {m.values.back().name, m.integers(x.dims)}, x.dims);
  m.count("ShuffleChannels");
  return true;
}

bool reshape(Maker& m, const Tensor& x) {
  if (x.dims.size() < 2) return false;
  Dims dims = {x.dims[0] * x.dims[1]};
  dims.insert(dims.end(), x.dims.begin() + 2, x.dims.end());
  m.put("Reshape", {x.name, m.integers(dims)}, dims);
  return true;
}

bool flatten(Maker& m, const Tensor& x) {
  if (x.dims.size() < 2) return false;
  std::int64_t rest = 1;
  for (std::size_t i = 1; i < x.dims.size(); ++i) rest *= x.dims[i];
  m.put("Flatten", {x.name}, {x.dims[0], rest}, {{"axis", {1}}});
  return true;
}

bool unsqueeze(Maker& m, const Tensor& x) {
  if (x.dims.size() > 4) return false;
  Dims dims = x.dims;
  dims.insert(dims.begin(), 1);
  m.put("Unsqueeze", {x.name, m.integers({0})}, dims);
  return true;
}

bool squeeze(Maker& m, const Tensor& x) {
  if (x.dims.size() < 2 || x.dims[0] != 1) return false;
  m.put("Squeeze", {x.name, m.integers({0})}, Dims(x.dims.begin() + 1, x.dims.end()));
  return true;
}

bool pad(Maker& m, const Tensor& x) {
  if (!is_image(x) || x.dims[2] < 3 || x.dims[3] < 3) return false;
  static const std::vector<std::string> kModes = {"constant", "edge", "reflect", "wrap"};
  const std::int64_t a = m.pick(0, 2), b = m.pick(0, 2);
  m.put("Pad", {x.name, m.integers({0, 0, a, b, 0, 0, b, a}), m.scalar(0.25F)},
        {x.dims[0], x.dims[1], x.dims[2] + a + b, x.dims[3] + a + b}, {}, {},
        {{"mode", kModes[static_cast<std::size_t>(m.pick(0, 3))]}});
  return true;
}

bool resize(Maker& m, const Tensor& x) {
  if (!is_image(x)) return false;
  static const std::vector<std::string> kModes = {"nearest", "linear", "cubic"};
  static const std::vector<std::string> kCoordinates = {"half_pixel", "align_corners", "asymmetric",
                                                        "pytorch_half_pixel"};
  const std::string& mode = kModes[static_cast<std::size_t>(m.pick(0, 2))];
  std::string coordinates = kCoordinates[static_cast<std::size_t>(m.pick(0, 3))];
  if (mode == "nearest") coordinates = "asymmetric";
  std::map<std::string, std::string> strings = {{"mode", mode},
                                                {"coordinate_transformation_mode", coordinates}};
  if (mode == "nearest") strings["nearest_mode"] = "floor";
  m.put("Resize", {x.name, "", m.numbers({1, 1, 2, 2})}, {x.dims[0], x.dims[1], 2 * x.dims[2], 2 * x.dims[3]},
        {}, {}, strings);
  return true;
}

bool gemm(Maker& m, const Tensor& x) {
  if (x.dims.size() != 2) return false;
  const std::int64_t k = x.dims[1], n = m.pick(1, 20);
  const bool tb = m.pick(0, 1) != 0;
  const float scale = 1.0F / std::sqrt(static_cast<float>(k));
  std::vector<std::string> inputs = {x.name, m.constant(tb ? Dims{n, k} : Dims{k, n}, -scale, scale)};
  if (m.pick(0, 1)) inputs.push_back(m.pick(0, 1) ? m.constant({n}, -1, 1) : m.input({x.dims[0], 1}).name);
  m.accumulate(static_cast<double>(k));
  m.put("Gemm", inputs, {x.dims[0], n}, {{"transB", {tb ? 1 : 0}}}, {{"alpha", 0.75F}, {"beta", 0.5F}});
  return true;
}

bool matmul(Maker& m, const Tensor& x) {
  if (x.dims.size() < 2) return false;
  const std::int64_t k = x.dims.back(), n = m.pick(1, 20);
  const float scale = 1.0F / std::sqrt(static_cast<float>(k));
  Dims right = {k, n};
  if (x.dims.size() == 4 && m.pick(0, 1)) right = {x.dims[1], k, n};
  Dims dims = x.dims;
  dims.back() = n;
  m.accumulate(static_cast<double>(k));
  m.put("MatMul", {x.name, m.pick(0, 1) ? m.constant(right, -scale, scale) : m.input(right).name}, dims);
  return true;
}

bool depth_to_space(Maker& m, const Tensor& x) {
  if (!is_image(x) || x.dims[1] % 4 != 0) return false;
  m.put("DepthToSpace", {x.name}, {x.dims[0], x.dims[1] / 4, x.dims[2] * 2, x.dims[3] * 2},
        {{"blocksize", {2}}}, {}, {{"mode", m.pick(0, 1) ? "DCR" : "CRD"}});
  return true;
}

bool space_to_depth(Maker& m, const Tensor& x) {
  if (!is_image(x) || x.dims[2] % 2 != 0 || x.dims[3] % 2 != 0) return false;
  m.put("SpaceToDepth", {x.name}, {x.dims[0], x.dims[1] * 4, x.dims[2] / 2, x.dims[3] / 2},
        {{"blocksize", {2}}});
  return true;
}

bool quantize_and_back(Maker& m, const Tensor& x) {
  const std::string fresh = m.input(x.dims).name;
  const std::string scale = m.scalar(0.03F), zero = m.byte(128);
  onnx::NodeProto& node = m.add("QuantizeLinear", {fresh, scale, zero});
  m.put("DequantizeLinear", {node.output(0), scale, zero}, x.dims);
  return true;
}

bool cast_and_back(Maker& m, const Tensor& x) {
  const std::string fresh = m.input(x.dims).name;
  onnx::NodeProto& node = m.add("Cast", {fresh});
  Maker::attribute(node, "to", {onnx::TensorProto::INT8});
  m.put("Cast", {node.output(0)}, x.dims, {{"to", {onnx::TensorProto::FLOAT}}});
  return true;
}

const std::map<std::string, Rule>& rules() {
  static const std::map<std::string, Rule> kRules = [] {
    std::map<std::string, Rule> r = {{"Conv", conv},
                                     {"ConvTranspose", conv_transpose},
                                     {"BatchNormalization", batch_norm},
                                     {"InstanceNormalization", instance_norm},
                                     {"LayerNormalization", layer_norm},
                                     {"Concat", concat},
                                     {"Split", split},
                                     {"Slice", slice},
                                     {"Transpose", transpose},
                                     {"Reshape", reshape},
                                     {"ShuffleChannels", shuffle_channels},
                                     {"Flatten", flatten},
                                     {"Unsqueeze", unsqueeze},
                                     {"Squeeze", squeeze},
                                     {"Pad", pad},
                                     {"Resize", resize},
                                     {"Gemm", gemm},
                                     {"MatMul", matmul},
                                     {"DepthToSpace", depth_to_space},
                                     {"SpaceToDepth", space_to_depth},
                                     {"QuantizeLinear", quantize_and_back},
                                     {"Cast", cast_and_back},
                                     {"Exp", bounded_exp},
                                     {"Add", add_like}};
    for (const char* op : {"MaxPool", "AveragePool"}) r[op] = pool(op);
    for (const char* op : {"GlobalAveragePool", "GlobalMaxPool"}) r[op] = global_pool(op);
    for (const char* op : {"Relu", "LeakyRelu", "Elu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Gelu",
                           "Erf", "Abs", "Neg", "Identity"})
      r[op] = unary(op);
    for (const char* op : {"Floor", "Ceil", "Round"}) r[op] = jump(op);
    for (const char* op : {"Sqrt", "Log", "Reciprocal", "Pow"}) r[op] = positive(op);
    for (const char* op : {"Sub", "Mul", "Div", "Min", "Max", "PRelu"}) r[op] = binary(op);
    for (const char* op : {"Softmax", "LogSoftmax"}) r[op] = softmax(op);
    for (const char* op : {"ReduceMean", "ReduceSum", "ReduceMax"}) r[op] = reduce(op);
    return r;
  }();
  return kRules;
}

void apply(Maker& maker, const Rule& rule) {
  const auto at = static_cast<std::size_t>(maker.pick(0, static_cast<int>(maker.values.size()) - 1));
  const Tensor x = maker.values[at];
  if (rule(maker, x)) maker.values[at].read = true;
}

}  // namespace

std::vector<std::string> random_operators() {
  std::vector<std::string> out;
  for (const auto& [name, rule] : rules()) out.push_back(name);
  return out;
}

RandomModel random_model(unsigned seed, const std::string& favour) {
  RandomModel out;
  Maker maker(seed, out);
  const Dims image = {maker.pick(1, 2), maker.pick(1, 12), maker.pick(4, 9), maker.pick(4, 9)};
  maker.values.push_back(maker.input(image));
  // Something of every layout to start from.
  maker.values.push_back(maker.input({1, 4 * maker.pick(1, 4), 2 * maker.pick(2, 4), 2 * maker.pick(2, 4)}));
  maker.values.push_back(maker.input({maker.pick(1, 5), maker.pick(2, 17)}));
  for (Tensor& value : maker.values) value.read = true;
  const auto names = random_operators();
  for (int i = 0; i < 8; ++i)
    apply(maker,
          rules().at(names[static_cast<std::size_t>(maker.pick(0, static_cast<int>(names.size()) - 1))]));
  for (int i = 0; i < 4; ++i) apply(maker, rules().at(favour));
  maker.finish();
  return out;
}

}  // namespace sluice::testing
