#include "quantize/npy_header.h"

#include <charconv>
#include <map>

namespace sluice::quantize {
namespace {

// What stands behind 'key': up to the next key; empty when it is missing.
std::string_view value_of(std::string_view text, std::string_view key) {
  const std::size_t at = text.find("'" + std::string(key) + "'");
  if (at == std::string_view::npos) return {};
  std::string_view rest = text.substr(at + key.size() + 2);
  const std::size_t start = rest.find_first_not_of(": ");
  return start == std::string_view::npos ? std::string_view() : rest.substr(start);
}

Result<DType> dtype_of(std::string_view descr) {
  static const std::map<std::string_view, DType> kTypes = {
      {"<f4", DType::kFloat32}, {"<f8", DType::kFloat64}, {"<f2", DType::kFloat16}, {"|u1", DType::kUint8},
      {"|i1", DType::kInt8},    {"<u2", DType::kUint16},  {"<i2", DType::kInt16},   {"<i4", DType::kInt32},
      {"<i8", DType::kInt64},   {"|b1", DType::kBool}};
  const auto found = kTypes.find(descr);
  if (found == kTypes.end())
    return invalid("has elements of type '" + std::string(descr) + "', which no model takes");
  return found->second;
}

Result<std::vector<std::int64_t>> shape_of(std::string_view tuple) {
  const std::size_t end = tuple.find(')');
  if (tuple.empty() || tuple.front() != '(' || end == std::string_view::npos)
    return invalid("has no shape in its header");
  tuple = tuple.substr(1, end - 1);
  std::vector<std::int64_t> out;
  while (true) {
    const std::size_t start = tuple.find_first_not_of(", ");
    if (start == std::string_view::npos) return out;
    tuple.remove_prefix(start);
    std::int64_t value = -1;
    const auto [rest, error] = std::from_chars(tuple.data(), tuple.data() + tuple.size(), value);
    if (error != std::errc() || value < 0) return invalid("has a shape that is no list of sizes");
    out.push_back(value);
    tuple.remove_prefix(static_cast<std::size_t>(rest - tuple.data()));
  }
}

}  // namespace

Result<NpyText> find_npy_text(std::string_view preamble) {
  constexpr std::string_view kMagic = "\x93NUMPY";
  if (preamble.size() < kNpyPreamble || !preamble.starts_with(kMagic)) return invalid("is no .npy array");
  const auto byte = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(preamble[i]));
  };
  NpyText out;
  if (byte(6) == 1) {
    out = {10, byte(8) | byte(9) << 8};
  } else if (byte(6) == 2 || byte(6) == 3) {
    out = {12, byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24};
  } else {
    return invalid("is of .npy version " + std::to_string(byte(6)) + ", 1 to 3 are known");
  }
  if (out.length > kMaxNpyHeader) return invalid("has a header of " + std::to_string(out.length) + " bytes");
  return out;
}

Result<NpyHeader> parse_npy_text(std::string_view text) {
  NpyHeader out;
  const std::string_view descr = value_of(text, "descr");
  if (descr.size() < 2 || descr.front() != '\'') return invalid("has a header without element type");
  SLUICE_ASSIGN(out.dtype, dtype_of(descr.substr(1, descr.find('\'', 1) - 1)));
  if (!value_of(text, "fortran_order").starts_with("False"))
    return invalid("is stored in Fortran order; save numpy.ascontiguousarray of it");
  SLUICE_ASSIGN(out.shape, shape_of(value_of(text, "shape")));
  return out;
}

}  // namespace sluice::quantize
