#include "inference/onnx/model_header.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <set>
#include <system_error>

#include "framework/core/tensor.h"

namespace sluice::onnx {
namespace {

constexpr int kMaxNesting = 16;  // of subgraphs; exporters stay below 4

// Calls `use` with each of the varints that lie one behind the other, as values of fields without keys.
template <typename Use>
void for_each_packed(Bytes bytes, Use use) {
  for (std::size_t at = 0; at < bytes.size();) {
    std::uint64_t value = 0;
    for (int shift = 0; at < bytes.size() && shift < 64; shift += 7) {
      const auto byte = static_cast<std::uint8_t>(bytes[at++]);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    use(value);
  }
}

// Collects the header; each function reads one message type and returns false when its bytes are malformed.
class HeaderReader {
 public:
  explicit HeaderReader(ModelHeader& header) : header_(header) {}
  bool model_field(const Field& f);
  bool has_graph() const { return has_graph_; }
  void skip_initialized_inputs();

 private:
  bool opset(Bytes message);
  bool graph(Bytes message);
  bool value_info(Bytes message, ValueInfo& info);
  bool type(Bytes message, ValueInfo& info);
  bool shape(Bytes message, ValueInfo& info);
  bool dimension(Bytes message, Dim& dim);
  bool node(Bytes message, Operator& op, int depth);
  bool attribute(Bytes message, Operator& op, int depth);
  bool inner_graph(Bytes message, int depth);
  static bool tensor_type(Bytes message, Initializer& tensor);
  bool initializer(Bytes message, Initializer& tensor);
  bool constant(const Operator& op);
  bool tensor_location(Bytes message);
  bool sparse(Bytes message);
  bool inner_nodes(Bytes message, std::uint32_t number, int depth);

  ModelHeader& header_;
  bool has_graph_ = false;
};

bool HeaderReader::opset(Bytes message) {
  Reader reader(message);
  std::string domain;
  std::int64_t version = 0;
  for (Field f; reader.next(f);) {
    if (f.number == field::kOpsetDomain) domain = f.bytes;
    if (f.number == field::kOpsetVersion) version = static_cast<std::int64_t>(f.value);
  }
  if (domain == "ai.onnx") domain.clear();
  header_.opsets[domain] = version;
  return reader.complete();
}

bool HeaderReader::dimension(Bytes message, Dim& dim) {
  Reader reader(message);
  for (Field f; reader.next(f);) {
    if (f.number == field::kDimValue) dim.value = static_cast<std::int64_t>(f.value);
    if (f.number == field::kDimParam) dim.name = f.bytes;
  }
  if (dim.value < 0) dim.value = -1;
  return reader.complete();
}

bool HeaderReader::shape(Bytes message, ValueInfo& info) {
  Reader reader(message);
  for (Field f; reader.next(f);)
    if (f.number == field::kDimension && !dimension(f.bytes, info.dims.emplace_back())) return false;
  return reader.complete();
}

bool HeaderReader::type(Bytes message, ValueInfo& info) {
  Reader outer(message);
  for (Field f; outer.next(f);) {
    if (f.number != field::kTensorType) continue;
    info.is_tensor = true;
    Reader reader(f.bytes);
    for (Field t; reader.next(t);) {
      if (t.number == field::kElement) info.element = static_cast<std::int32_t>(t.value);
      if (t.number != field::kShape) continue;
      info.has_shape = true;
      if (!shape(t.bytes, info)) return false;
    }
    if (!reader.complete()) return false;
  }
  return outer.complete();
}

bool HeaderReader::value_info(Bytes message, ValueInfo& info) {
  Reader reader(message);
  for (Field f; reader.next(f);) {
    if (f.number == field::kValueName) info.name = f.bytes;
    if (f.number == field::kValueType && !type(f.bytes, info)) return false;
  }
  return reader.complete();
}

// Of one element; 0: of no fixed size, or of a type that we do not know.
std::uint64_t bits_of(std::int32_t element) {
  constexpr std::array<std::uint8_t, 27> kBits = {0,  32,  8,  8, 16, 16, 32, 64, 0, 8, 16, 64, 32, 64,
                                                  64, 128, 16, 8, 8,  8,  8,  4,  4, 4, 8,  2,  2};
  return element < 0 || static_cast<std::size_t>(element) >= kBits.size()
             ? 0
             : kBits[static_cast<std::size_t>(element)];
}

void read_bytes(Bytes key, Bytes text, std::uint64_t& number, ExternalData& external) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return;
  external.no_number = std::string(key) + " '" + std::string(text) + "'";
}

bool HeaderReader::tensor_location(Bytes message) {
  Reader reader(message);
  ExternalData external;
  bool is_external = false;
  for (Field f; reader.next(f);) {
    if (f.number == field::kTensorName) external.tensor = f.bytes;
    if (f.number == field::kDataLocation) is_external = f.value == 1;
    if (f.number != field::kExternalData) continue;
    Reader entry(f.bytes);
    Bytes key, value;
    for (Field e; entry.next(e);) (e.number == field::kEntryKey ? key : value) = e.bytes;
    if (!entry.complete()) return false;
    if (key == "location") external.location = value;
    if (key == "offset") read_bytes(key, value, external.offset, external);
    if (key == "length") read_bytes(key, value, external.length, external);
  }
  if (!reader.complete() || !is_external) return reader.complete();
  Initializer tensor;
  if (!tensor_type(message, tensor)) return false;
  if (tensor.elements > 0)
    external.needed = (static_cast<std::uint64_t>(tensor.elements) * bits_of(tensor.element) + 7) / 8;
  header_.external.push_back(std::move(external));
  return true;
}

bool HeaderReader::sparse(Bytes message) {
  Reader reader(message);
  for (Field f; reader.next(f);)
    if (f.type == WireType::kBytes && f.number <= 2 && !tensor_location(f.bytes)) return false;
  return reader.complete();
}

bool HeaderReader::tensor_type(Bytes message, Initializer& tensor) {
  tensor.message = message;
  Reader reader(message);
  const auto dim = [&tensor](std::uint64_t size) {
    constexpr std::int64_t kSane = std::int64_t{1} << 31;
    ++tensor.rank;
    const bool sane = tensor.elements >= 0 && size < static_cast<std::uint64_t>(kSane);
    tensor.elements = sane && tensor.elements * static_cast<std::int64_t>(size) < kSane
                          ? tensor.elements * static_cast<std::int64_t>(size)
                          : -1;
  };
  for (Field f; reader.next(f);) {
    if (f.number == field::kTensorName) tensor.name = f.bytes;
    if (f.number == field::kDataType) tensor.element = static_cast<std::int32_t>(f.value);
    if (f.number == field::kDims && f.type == WireType::kVarint) dim(f.value);
    if (f.number == field::kDims) for_each_packed(f.bytes, dim);
  }
  return reader.complete();
}

bool HeaderReader::initializer(Bytes message, Initializer& tensor) {
  return tensor_type(message, tensor) && tensor_location(message);
}

bool HeaderReader::constant(const Operator& op) {
  if (op.type != "Constant" || !op.domain.empty() || op.value.empty() || op.outputs.size() != 1) return true;
  Initializer tensor;
  if (!tensor_type(op.value, tensor)) return false;
  tensor.name = op.outputs[0];
  header_.constants.push_back(tensor);
  return true;
}

bool HeaderReader::attribute(Bytes message, Operator& op, int depth) {
  Reader reader(message);
  Bytes name, tensor;
  std::int64_t number = 0;
  for (Field f; reader.next(f);) {
    bool good = true;
    switch (f.number) {
      case field::kAttributeName:
        name = f.bytes;
        break;
      case field::kAttributeInt:
        number = static_cast<std::int64_t>(f.value);
        break;
      case field::kAttributeTensor:
        tensor = f.bytes;
        good = tensor_location(f.bytes);
        break;
      case field::kAttributeTensors:
        good = tensor_location(f.bytes);
        break;
      case field::kAttributeSparse:
      case field::kAttributeSparses:
        good = sparse(f.bytes);
        break;
      case field::kAttributeGraph:
      case field::kAttributeGraphs:
        good = inner_graph(f.bytes, depth + 1);
        break;
      default:
        break;
    }
    if (!good) return false;
  }
  if (name == "output_dtype") op.output_dtype = number;
  if (name == "axis") op.axis = number;
  if (name == "value") op.value = tensor;
  return reader.complete();
}

bool HeaderReader::node(Bytes message, Operator& op, int depth) {
  Reader reader(message);
  for (Field f; reader.next(f);) {
    switch (f.number) {
      case field::kNodeInput:
        op.inputs.push_back(f.bytes);
        break;
      case field::kNodeOutput:
        op.outputs.push_back(f.bytes);
        break;
      case field::kNodeName:
        op.name = f.bytes;
        break;
      case field::kOpType:
        op.type = f.bytes;
        break;
      case field::kNodeDomain:
        op.domain = f.bytes == "ai.onnx" ? Bytes{} : f.bytes;
        break;
      case field::kAttribute:
        if (!attribute(f.bytes, op, depth)) return false;
        break;
      default:
        break;
    }
  }
  return reader.complete();
}

// Inner graphs and functions matter only for where their weights lie.
bool HeaderReader::inner_nodes(Bytes message, std::uint32_t number, int depth) {
  Reader reader(message);
  for (Field f; reader.next(f);) {
    Operator ignored;
    if (f.number == number && !node(f.bytes, ignored, depth)) return false;
  }
  return reader.complete();
}

bool HeaderReader::inner_graph(Bytes message, int depth) {
  header_.has_subgraphs = true;
  if (depth > kMaxNesting) return false;
  Reader reader(message);
  for (Field f; reader.next(f);) {
    if (f.number == field::kInitializer && !tensor_location(f.bytes)) return false;
    if (f.number == field::kSparseInitializer && !sparse(f.bytes)) return false;
  }
  return reader.complete() && inner_nodes(message, field::kNode, depth);
}

bool HeaderReader::graph(Bytes message) {
  has_graph_ = true;
  Reader reader(message);
  for (Field f; reader.next(f);) {
    bool good = true;
    switch (f.number) {
      case field::kNode:
        good = node(f.bytes, header_.operators.emplace_back(), 0) && constant(header_.operators.back());
        break;
      case field::kInitializer:
        good = initializer(f.bytes, header_.initializers.emplace_back());
        break;
      case field::kSparseInitializer:
        good = sparse(f.bytes);
        break;
      case field::kInput:
        good = value_info(f.bytes, header_.inputs.emplace_back());
        break;
      case field::kOutput:
        good = value_info(f.bytes, header_.outputs.emplace_back());
        break;
      case field::kValueInfo:
        good = value_info(f.bytes, header_.values.emplace_back());
        break;
      default:
        break;
    }
    if (!good) return false;
  }
  return reader.complete();
}

bool HeaderReader::model_field(const Field& f) {
  switch (f.number) {
    case field::kIrVersion:
      header_.ir_version = static_cast<std::int64_t>(f.value);
      return true;
    case field::kProducer:
      header_.producer = f.bytes;
      return true;
    case field::kOpset:
      return opset(f.bytes);
    case field::kGraph:
      return f.type == WireType::kBytes && graph(f.bytes);
    case field::kFunctions:
      return inner_nodes(f.bytes, field::kFunctionNode, 0);
    case field::kTraining: {
      Reader reader(f.bytes);
      for (Field t; reader.next(t);)
        if (t.number <= 2 && t.type == WireType::kBytes && !inner_graph(t.bytes, 1)) return false;
      return reader.complete();
    }
    default:
      return true;
  }
}

void HeaderReader::skip_initialized_inputs() {
  std::set<Bytes> weights;
  for (const Initializer& tensor : header_.initializers) weights.insert(tensor.name);
  std::erase_if(header_.inputs, [&weights](const ValueInfo& input) { return weights.contains(input.name); });
}

bool starts_with_ir_version(Bytes file) {
  Reader reader(file);
  Field first;
  return reader.next(first) && first.number == field::kIrVersion && first.type == WireType::kVarint &&
         first.value > 0 && first.value < 1000;
}

Status not_onnx(Bytes file, const std::string& path) {
  if (file.starts_with("version https://git-lfs"))
    return unavailable("'" + path + "' is a Git LFS pointer, not the model itself; run git lfs pull");
  return unavailable("'" + path +
                     "' is not an ONNX model; export one, for instance with torch.onnx.export or tf2onnx");
}

}  // namespace

Result<ModelHeader> read_header(Bytes file, const std::string& path) {
  ModelHeader header;
  HeaderReader parts(header);
  Reader reader(file);
  bool good = true;
  for (Field f; good && reader.next(f);) good = parts.model_field(f);
  if (good && reader.end() == WireEnd::kCut && starts_with_ir_version(file))
    return unavailable("'" + path + "' is cut short: its last part says " + std::to_string(reader.wanted()) +
                       " bytes, the file ends after " + std::to_string(file.size()) + "; copy it again");
  if (!good || !reader.complete() || header.ir_version <= 0) return not_onnx(file, path);
  if (!parts.has_graph() || header.operators.empty())
    return unavailable("'" + path +
                       "' is an ONNX file without a graph: there is nothing to run; export it again");
  parts.skip_initialized_inputs();
  return header;
}

namespace {

// The elements' bits, `width` bytes each in raw data; empty: not as many as the dimensions say.
std::vector<std::uint64_t> numbers_of(const Initializer& initializer, std::uint32_t typed,
                                      std::size_t width) {
  std::vector<std::uint64_t> out;
  const auto room = [&] { return static_cast<std::int64_t>(out.size()) <= initializer.elements; };
  Reader reader(initializer.message);
  for (Field f; room() && reader.next(f);) {
    const bool raw = f.number == field::kRawData;
    if (!raw && f.number != typed) continue;
    if (f.type != WireType::kBytes) {
      out.push_back(f.value);
    } else if (raw || typed == field::kFloatData) {
      for (std::size_t at = 0; room() && at + width <= f.bytes.size(); at += width) {
        out.push_back(0);
        std::memcpy(&out.back(), f.bytes.data() + at, width);
      }
    } else {
      for_each_packed(f.bytes, [&](std::uint64_t value) {
        if (room()) out.push_back(value);
      });
    }
  }
  if (static_cast<std::int64_t>(out.size()) != initializer.elements) out.clear();
  return out;
}

std::int32_t narrowed(std::uint64_t bits, std::int32_t element) {
  switch (element) {
    case kUint8:
      return static_cast<std::uint8_t>(bits);
    case kInt8:
      return static_cast<std::int8_t>(bits);
    case kUint16:
      return static_cast<std::uint16_t>(bits);
    default:
      return static_cast<std::int16_t>(bits);
  }
}

}  // namespace

std::vector<float> scales_of(const Initializer& initializer) {
  std::vector<float> out;
  if (initializer.element != kFloat) return out;
  for (const std::uint64_t bits : numbers_of(initializer, field::kFloatData, 4))
    out.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  return out;
}

std::vector<std::int32_t> zero_points_of(const Initializer& initializer) {
  const bool narrow = initializer.element == kUint8 || initializer.element == kInt8;
  const bool wide = initializer.element == kUint16 || initializer.element == kInt16;
  std::vector<std::int32_t> out;
  if (!narrow && !wide) return out;
  for (const std::uint64_t bits : numbers_of(initializer, field::kInt32Data, narrow ? 1 : 2))
    out.push_back(narrowed(bits, initializer.element));
  return out;
}

}  // namespace sluice::onnx
