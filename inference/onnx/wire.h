// The protobuf wire format, as far as ONNX files need it: a bounded reader over bytes in memory and a writer.
// Formula source: protobuf.dev/programming-guides/encoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "framework/core/status.h"

namespace sluice::onnx {

using Bytes = std::string_view;

enum class WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// One field of a message. `value` holds varints and fixed numbers, `bytes` what is length-delimited; `raw` is
// the whole field with its key, to be copied unchanged. Views into the reader's bytes.
struct Field {
  std::uint32_t number = 0;
  WireType type = WireType::kVarint;
  std::uint64_t value = 0;
  Bytes bytes;
  Bytes raw;
};

// Why a reader stopped.
enum class WireEnd : std::uint8_t {
  kEnd,       // all bytes were read
  kCut,       // a field says that it is longer than the bytes that are there
  kMalformed  // not protobuf: a bad key, type or number
};

// Walks the fields of one message. Never reads outside the bytes it was given; never allocates.
class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(bytes) {}
  // The next field, or false at the end (see `end`).
  bool next(Field& field);
  WireEnd end() const { return end_; }
  bool complete() const { return end_ == WireEnd::kEnd; }
  std::size_t offset() const { return at_; }
  // When cut: how many bytes the last field says it has.
  std::uint64_t wanted() const { return wanted_; }

 private:
  bool varint(std::uint64_t& value);
  bool stop(WireEnd end);

  Bytes bytes_;
  std::size_t at_ = 0;
  WireEnd end_ = WireEnd::kEnd;
  std::uint64_t wanted_ = 0;
};

// Appends fields to a message.
class Writer {
 public:
  Writer& varint(std::uint32_t number, std::uint64_t value);
  Writer& bytes(std::uint32_t number, Bytes value);
  Writer& raw(Bytes field);
  const std::string& text() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  void put(std::uint64_t value);
  std::string out_;
};

}  // namespace sluice::onnx
