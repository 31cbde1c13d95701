// The head of a .npy file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/status.h"
#include "framework/core/tensor.h"

namespace sluice::quantize {

struct NpyHeader {
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;
};

// Bytes before the text of the header: magic, version, length.
constexpr std::size_t kNpyPreamble = 12;
constexpr std::size_t kMaxNpyHeader = 64 * 1024;

// How long the text is and where it starts (10 or 12), from the first kNpyPreamble bytes. kInvalid.
struct NpyText {
  std::size_t start = 0;
  std::size_t length = 0;
};
Result<NpyText> find_npy_text(std::string_view preamble);

// From the text, a Python dictionary such as {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
// kInvalid.
Result<NpyHeader> parse_npy_text(std::string_view text);

}  // namespace sluice::quantize
