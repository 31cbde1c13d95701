#include "quantize/npz.h"

#include <zip.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "framework/core/half.h"
#include "quantize/npy_header.h"

namespace sluice::quantize {
namespace {

struct CloseArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseEntry {
  void operator()(zip_file_t* entry) const { zip_fclose(entry); }
};
using Archive = std::unique_ptr<zip_t, CloseArchive>;
using Entry = std::unique_ptr<zip_file_t, CloseEntry>;

Result<Archive> open_archive(const std::string& path) {
  int code = 0;
  Archive out(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (out) return out;
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  return invalid("'" + path + "' is no .npz file: " + reason);
}

// One array while it is read from its start.
class ArrayReader {
 public:
  static Result<ArrayReader> open(zip_t* archive, zip_uint64_t index) {
    ArrayReader out;
    out.entry_.reset(zip_fopen_index(archive, index, 0));
    if (!out.entry_) return invalid(std::string("cannot be read: ") + zip_strerror(archive));
    std::string preamble(kNpyPreamble, '\0');
    SLUICE_RETURN_IF_ERROR(out.read(preamble.data(), preamble.size()));
    SLUICE_ASSIGN(const NpyText place, find_npy_text(preamble));
    std::string text = preamble.substr(place.start);
    if (place.length < text.size()) return invalid("has a header that is too short");
    text.resize(place.length);
    const std::size_t there = kNpyPreamble - place.start;
    SLUICE_RETURN_IF_ERROR(out.read(text.data() + there, text.size() - there));
    SLUICE_ASSIGN(out.header_, parse_npy_text(text));
    return out;
  }
  const NpyHeader& header() const { return header_; }
  Status read(char* to, std::size_t bytes) {
    const zip_int64_t got = zip_fread(entry_.get(), to, bytes);
    if (got >= 0 && static_cast<std::size_t>(got) == bytes) return {};
    return invalid("ends too early or is damaged");
  }

 private:
  Entry entry_;
  NpyHeader header_;
};

std::string text_of(const std::vector<std::int64_t>& dims) {
  std::string out;
  for (const std::int64_t dim : dims) out += (out.empty() ? "" : "x") + std::to_string(dim);
  return out.empty() ? "scalar" : out;
}

// How many samples an array of `shape` holds for an input; none when it does not fit.
std::optional<std::size_t> samples_in(const std::vector<std::int64_t>& shape,
                                      const std::vector<std::int64_t>& input) {
  if (shape.size() == input.size() + 1 && std::equal(input.begin(), input.end(), shape.begin() + 1))
    return static_cast<std::size_t>(shape[0]);
  const bool same_rest = shape.size() == input.size() && !shape.empty() &&
                         std::equal(input.begin() + 1, input.end(), shape.begin() + 1);
  if (!same_rest || input[0] <= 0 || shape[0] % input[0] != 0) return std::nullopt;
  return static_cast<std::size_t>(shape[0] / input[0]);
}

struct Column {
  InputInfo input;
  zip_uint64_t index = 0;
  DType stored = DType::kFloat32;
};

class NpzSamples final : public Samples {
 public:
  static Result<std::unique_ptr<Samples>> open(const std::string& path, const std::vector<InputInfo>& inputs);
  Status for_each(const std::function<Status(const Sample&)>& visit) override;
  std::optional<std::size_t> count() const override { return count_; }

 private:
  Status add(const InputInfo& input, const std::string& array, zip_uint64_t index);

  std::string path_;
  Archive archive_;
  std::vector<Column> columns_;
  std::size_t count_ = 0;
};

// Names of the arrays, without .npy.
std::vector<std::string> arrays_of(zip_t* archive) {
  std::vector<std::string> out;
  for (zip_int64_t i = 0; i < zip_get_num_entries(archive, 0); ++i) {
    const char* const name = zip_get_name(archive, static_cast<zip_uint64_t>(i), 0);
    std::string text = name ? name : "";
    if (text.ends_with(".npy")) text.resize(text.size() - 4);
    out.push_back(std::move(text));
  }
  return out;
}

std::string list(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out.empty() ? "none" : out;
}

Result<std::unique_ptr<Samples>> NpzSamples::open(const std::string& path,
                                                  const std::vector<InputInfo>& inputs) {
  auto out = std::make_unique<NpzSamples>();
  out->path_ = path;
  SLUICE_ASSIGN(out->archive_, open_archive(path));
  const auto arrays = arrays_of(out->archive_.get());
  for (const InputInfo& input : inputs) {
    auto found = std::find(arrays.begin(), arrays.end(), input.name);
    if (found == arrays.end() && arrays.size() == 1 && inputs.size() == 1) found = arrays.begin();
    if (found == arrays.end())
      return invalid("'" + path + "' has no array for input '" + input.name +
                     "'; its arrays are: " + list(arrays));
    SLUICE_RETURN_IF_ERROR(out->add(input, *found, static_cast<zip_uint64_t>(found - arrays.begin())));
  }
  return std::unique_ptr<Samples>(std::move(out));
}

Status NpzSamples::add(const InputInfo& input, const std::string& array, zip_uint64_t index) {
  const std::string place = "'" + path_ + "': array '" + array + "' ";
  const auto reader = ArrayReader::open(archive_.get(), index);
  if (!reader.ok()) return reader.status().with_context(place);
  const NpyHeader& header = reader->header();
  const bool other_width = header.dtype == DType::kFloat64 || header.dtype == DType::kFloat16;
  const bool as_it_is = header.dtype == input.dtype || header.dtype == input.also;
  if (!as_it_is && !(other_width && input.dtype == DType::kFloat32))
    return invalid(place + "is " + std::string(name_of(header.dtype)) + ", input '" + input.name +
                   "' takes " + std::string(name_of(input.dtype)) +
                   (input.also ? " or " + std::string(name_of(*input.also)) : ""));
  const auto samples = samples_in(header.shape, input.shape);
  if (!samples)
    return invalid(place + "is " + text_of(header.shape) + ", input '" + input.name + "' takes " +
                   text_of(input.shape) + ": samples go along the first dimension, or one more in front");
  if (*samples == 0) return invalid(place + "holds no sample");
  if (!columns_.empty() && *samples != count_)
    return invalid(place + "holds " + std::to_string(*samples) + " samples, array of input '" +
                   columns_[0].input.name + "' holds " + std::to_string(count_));
  count_ = *samples;
  columns_.push_back({input, index, header.dtype});
  if (as_it_is) columns_.back().input.dtype = header.dtype;
  return {};
}

// Of a float64 or float16.
float float_at(const std::byte* data, DType stored) {
  double wide = 0;
  std::uint16_t half = 0;
  if (stored == DType::kFloat16) {
    std::memcpy(&half, data, sizeof half);
    return from_half(half);
  }
  std::memcpy(&wide, data, sizeof wide);
  return static_cast<float>(wide);
}

// One row of a column, converted to the input's type.
Status read_row(ArrayReader& reader, const Column& column, std::vector<std::byte>& row) {
  std::size_t elements = 1;
  for (const std::int64_t dim : column.input.shape) elements *= static_cast<std::size_t>(dim);
  row.resize(elements * size_of(column.stored));
  SLUICE_RETURN_IF_ERROR(reader.read(reinterpret_cast<char*>(row.data()), row.size()));
  if (column.stored == column.input.dtype) return {};
  std::vector<std::byte> floats(elements * sizeof(float));
  const std::size_t stored = size_of(column.stored);
  for (std::size_t i = 0; i < elements; ++i) {
    const float value = float_at(row.data() + i * stored, column.stored);
    std::memcpy(floats.data() + i * sizeof value, &value, sizeof value);
  }
  row = std::move(floats);
  return {};
}

Status NpzSamples::for_each(const std::function<Status(const Sample&)>& visit) {
  std::vector<ArrayReader> readers;
  for (const Column& column : columns_) {
    SLUICE_ASSIGN(ArrayReader reader, ArrayReader::open(archive_.get(), column.index));
    readers.push_back(std::move(reader));
  }
  std::vector<std::vector<std::byte>> rows(columns_.size());
  for (std::size_t s = 0; s < count_; ++s) {
    Sample sample;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const InputInfo& input = columns_[c].input;
      if (const Status status = read_row(readers[c], columns_[c], rows[c]); !status.ok())
        return status.with_context("'" + path_ + "': array of input '" + input.name + "', sample " +
                                   std::to_string(s) + ", ");
      sample.push_back({input.name, input.dtype, input.shape, rows[c].data(), rows[c].size()});
    }
    SLUICE_RETURN_IF_ERROR(visit(sample));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Samples>> open_npz(const std::string& path, const std::vector<InputInfo>& inputs) {
  return NpzSamples::open(path, inputs);
}

}  // namespace sluice::quantize
