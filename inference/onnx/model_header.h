// What an ONNX file says about itself, without its weights: read straight from the protobuf bytes in one
// pass, so that planning needs no inference engine and touches only the pages that hold names and shapes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "inference/onnx/wire.h"

namespace sluice::onnx {

// Field numbers of onnx.proto (onnx/onnx on GitHub, Apache-2.0) that we read or write.
namespace field {
enum Model : std::uint32_t {
  kIrVersion = 1,
  kProducer = 2,
  kGraph = 7,
  kOpset = 8,
  kTraining = 20,
  kFunctions = 25
};
enum Opset : std::uint32_t { kOpsetDomain = 1, kOpsetVersion = 2 };
enum Graph : std::uint32_t {
  kNode = 1,
  kGraphName = 2,
  kInitializer = 5,
  kInput = 11,
  kOutput = 12,
  kValueInfo = 13,
  kSparseInitializer = 15
};
enum Value : std::uint32_t { kValueName = 1, kValueType = 2 };
enum Type : std::uint32_t { kTensorType = 1 };
enum TensorType : std::uint32_t { kElement = 1, kShape = 2 };
enum Dimension : std::uint32_t { kDimension = 1, kDimValue = 1, kDimParam = 2 };
enum Node : std::uint32_t {
  kNodeInput = 1,
  kNodeOutput = 2,
  kNodeName = 3,
  kOpType = 4,
  kAttribute = 5,
  kNodeDomain = 7
};
enum Attribute : std::uint32_t {
  kAttributeName = 1,
  kAttributeInt = 3,
  kAttributeTensor = 5,
  kAttributeGraph = 6,
  kAttributeTensors = 10,
  kAttributeGraphs = 11,
  kAttributeSparse = 22,
  kAttributeSparses = 23
};
enum Tensor : std::uint32_t {
  kDims = 1,
  kDataType = 2,
  kFloatData = 4,
  kInt32Data = 5,
  kTensorName = 8,
  kRawData = 9,
  kExternalData = 13,
  kDataLocation = 14
};
enum Entry : std::uint32_t { kEntryKey = 1, kEntryValue = 2 };
enum Function : std::uint32_t { kFunctionNode = 7 };
}  // namespace field

// TensorProto.DataType, as far as Sluice names them.
enum Element : std::int32_t {
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBoolean = 9,
  kHalf = 10,
  kDouble = 11
};

struct Dim {
  std::int64_t value = -1;  // -1: symbolic
  Bytes name;               // of a symbolic one; may be empty
};

struct ValueInfo {
  Bytes name;
  bool is_tensor = false;  // else a sequence, map or optional
  bool has_shape = false;
  std::int32_t element = 0;
  std::vector<Dim> dims;
};

struct Operator {
  Bytes type, domain, name;
  std::vector<Bytes> inputs, outputs;
  std::int64_t output_dtype = 0;  // QuantizeLinear's attribute; 0: not given
  std::int64_t axis = 1;          // as QuantizeLinear and DequantizeLinear have it where it is not given
  Bytes value;                    // Constant's attribute, a whole TensorProto; empty: not given
};

// A weight of the graph; `message` is the whole TensorProto.
struct Initializer {
  Bytes name;
  std::int32_t element = 0;
  std::int64_t elements = 1;  // product of its dimensions; -1 when that is no sane number
  int rank = 0;
  Bytes message;
};

// A tensor whose bytes lie in another file.
struct ExternalData {
  std::string tensor;
  std::string location;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  // 0: to the end of the file
  std::uint64_t needed = 0;  // bytes of the tensor by its type and dimensions; 0: not known
  std::string no_number;     // "offset 'abc'": what the model says instead of a number of bytes; else empty
};

// Views into the file's bytes, which must outlive it.
struct ModelHeader {
  std::int64_t ir_version = 0;
  std::string producer;
  std::map<std::string, std::int64_t> opsets;  // by domain; "" is ONNX's own
  std::vector<ValueInfo> inputs;               // without those that are initializers too
  std::vector<ValueInfo> outputs;
  std::vector<ValueInfo> values;  // inner tensors whose type the file gives
  std::vector<Operator> operators;
  std::vector<Initializer> initializers;
  std::vector<Initializer> constants;  // what Constant nodes give, by the names of their outputs
  std::vector<ExternalData> external;
  bool has_subgraphs = false;  // If, Loop, Scan: inner graphs may read outer tensors
};

// kUnavailable: "is cut short ...", "is not an ONNX model ...". `path` appears in messages only.
Result<ModelHeader> read_header(Bytes file, const std::string& path);

// Scales (float32) and zero points (integers of 8 or 16 bits) that an initializer holds; empty: it is
// external, or of another kind.
std::vector<float> scales_of(const Initializer& initializer);
std::vector<std::int32_t> zero_points_of(const Initializer& initializer);

}  // namespace sluice::onnx
