#include "inference/onnx/wire.h"

#include <cstring>

namespace sluice::onnx {

bool Reader::stop(WireEnd end) {
  end_ = end;
  return false;
}

bool Reader::varint(std::uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (at_ == bytes_.size()) return stop(WireEnd::kCut);
    const auto byte = static_cast<std::uint8_t>(bytes_[at_++]);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return stop(WireEnd::kMalformed);
}

bool Reader::next(Field& field) {
  if (at_ == bytes_.size() || !complete()) return false;
  const std::size_t start = at_;
  std::uint64_t key = 0;
  if (!varint(key)) return false;
  if (key >> 3 == 0 || key >> 3 >= 1u << 29) return stop(WireEnd::kMalformed);
  field.number = static_cast<std::uint32_t>(key >> 3);
  field.type = static_cast<WireType>(key & 7);
  field.value = 0;
  field.bytes = {};
  std::uint64_t length = 0;
  switch (field.type) {
    case WireType::kVarint:
      if (!varint(field.value)) return false;
      break;
    case WireType::kFixed64:
      length = 8;
      break;
    case WireType::kFixed32:
      length = 4;
      break;
    case WireType::kBytes:
      if (!varint(length)) return false;
      break;
    default:
      return stop(WireEnd::kMalformed);
  }
  if (length > bytes_.size() - at_) {
    wanted_ = length;
    return stop(WireEnd::kCut);
  }
  if (field.type == WireType::kBytes)
    field.bytes = bytes_.substr(at_, length);
  else if (length > 0)
    std::memcpy(&field.value, bytes_.data() + at_, length);
  at_ += length;
  field.raw = bytes_.substr(start, at_ - start);
  return true;
}

void Writer::put(std::uint64_t value) {
  while (value > 0x7f) {
    out_.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out_.push_back(static_cast<char>(value));
}

Writer& Writer::varint(std::uint32_t number, std::uint64_t value) {
  put(std::uint64_t{number} << 3);
  put(value);
  return *this;
}

Writer& Writer::bytes(std::uint32_t number, Bytes value) {
  put((std::uint64_t{number} << 3) | static_cast<std::uint64_t>(WireType::kBytes));
  put(value.size());
  out_.append(value);
  return *this;
}

Writer& Writer::raw(Bytes field) {
  out_.append(field);
  return *this;
}

}  // namespace sluice::onnx
