#include "backends/gpu/pictures/device_pictures.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "backends/gpu/device/counters.h"
#include "backends/gpu/device/element_type.h"
#include "backends/gpu/ep/plugin.h"
#include "backends/gpu/kernels/element_types.h"
#include "backends/gpu/kernels/picture_numbers.h"
#include "framework/core/log.h"

namespace sluice::gpu {
namespace {

// What kernel `picture` writes; nothing for other types.
std::optional<std::int32_t> written_type(DType dtype) {
  const auto type = element_type(dtype);
  return type && *type <= TYPE_INT16 ? type : std::nullopt;
}

struct DeviceTap {
  std::int32_t first;
  std::int32_t share_bits;
};

void append(const std::vector<PictureTap>& from, std::vector<DeviceTap>& to) {
  for (const PictureTap& tap : from) to.push_back({tap.first, std::bit_cast<std::int32_t>(tap.weight)});
}

std::vector<float> factors_of(const PictureRecipe& recipe) {
  std::vector<float> out(FACTORS_COMMON + 3 * FACTORS_CHANNEL);
  out[PAD_VALUE] = recipe.pad;
  for (std::size_t c = 0; c < 3; ++c) {
    float* of = out.data() + FACTORS_COMMON + c * FACTORS_CHANNEL;
    std::copy(recipe.color[c].begin(), recipe.color[c].end(), of);
    const PictureRecipe::Element& element = recipe.elements[c];
    of[ELEMENT_SCALE] = element.scale;
    of[ELEMENT_BIAS] = element.bias;
    of[ELEMENT_LOW] = element.low;
    of[ELEMENT_HIGH] = element.high;
    of[ELEMENT_ZERO] = static_cast<float>(element.zero_point);
  }
  return out;
}

std::vector<std::int32_t> integers_of(const PictureRecipe& recipe, std::int32_t type,
                                      const std::array<int, 3>& first_tap) {
  std::vector<std::int32_t> out(NUMBERS_COMMON + 3 * NUMBERS_COMPONENT);
  out[GRID_WIDTH] = recipe.width;
  out[GRID_HEIGHT] = recipe.height;
  out[GRID_CHANNELS] = recipe.channels;
  out[GRID_INTERLEAVED] = recipe.interleaved;
  out[ELEMENT_TYPE] = type;
  out[PICTURE_LEFT] = recipe.left;
  out[PICTURE_TOP] = recipe.top;
  out[PICTURE_COLUMNS] = recipe.columns;
  out[PICTURE_ROWS] = recipe.rows;
  out[PICTURE_TURNED] = recipe.turned;
  out[COMPONENTS] = recipe.component_count;
  for (std::size_t c = 0; c < 3; ++c) {
    std::int32_t* of = out.data() + NUMBERS_COMMON + c * NUMBERS_COMPONENT;
    const auto plane = static_cast<std::size_t>(recipe.components[c].plane);
    of[SAMPLE_PLANE] = recipe.components[c].plane;
    of[SAMPLE_STEP] = recipe.components[c].step;
    of[TAPS_ALONG] = first_tap[plane];
    of[TAPS_ACROSS] = first_tap[plane] + static_cast<int>(recipe.planes[plane].along.size());
  }
  return out;
}

// From where a plane's first row starts to where its memory does: below zero where it is stored bottom up.
std::ptrdiff_t below_first_row(std::ptrdiff_t stride, int rows) {
  return stride < 0 ? stride * (rows - 1) : 0;
}

}  // namespace

Result<std::unique_ptr<DevicePictures>> DevicePictures::open(const Api& api, const std::string& device) {
  SLUICE_ASSIGN(const auto devices, list_devices(api));
  SLUICE_ASSIGN(DeviceInfo chosen, choose_device(devices, device));
  std::unique_ptr<DevicePictures> out(new DevicePictures(api, std::move(chosen)));
  SLUICE_RETURN_IF_ERROR(out->connect());
  return out;
}

DevicePictures::~DevicePictures() {
  if (context_) context_->keep_programs();
}

// Everything anew: what was made on a lost device is only released.
Status DevicePictures::connect() {
  planes_ = {};
  tensor_ = {};
  adopted_.release();
  for (Buffer* buffer : {&taps_, &numbers_, &factors_}) *buffer = Buffer();
  kernel_ = Kernel();
  queue_ = Queue();
  context_.reset();
  SLUICE_ASSIGN(context_, Context::shared(api_, device_));
  SLUICE_ASSIGN(queue_, context_->queue(false));
  SLUICE_ASSIGN(kernel_, context_->kernel("picture", "picture", {}));
  adopted_.import_again(*context_);
  return {};
}

Status DevicePictures::prepare(const PictureRecipe& recipe) {
  const auto type = written_type(recipe.dtype);
  if (!type) return invalid("the gpu does not write pictures as " + std::string(name_of(recipe.dtype)));
  recipe_ = recipe;
  type_ = *type;
  if (context_->lost()) SLUICE_RETURN_IF_ERROR(connect());
  return upload_recipe();
}

template <typename T>
Status DevicePictures::refill(Buffer& buffer, const std::vector<T>& from, const char* what) {
  buffer = Buffer();
  SLUICE_ASSIGN(buffer, context_->buffer(from.size() * sizeof(T), CL_MEM_READ_ONLY, from.data(), what));
  return {};
}

Status DevicePictures::upload_recipe() {
  std::vector<DeviceTap> taps;
  std::array<int, 3> first{};
  for (std::size_t p = 0; p < planes(); ++p) {
    first[p] = static_cast<int>(taps.size());
    append(recipe_.planes[p].along, taps);
    append(recipe_.planes[p].across, taps);
  }
  integers_ = integers_of(recipe_, type_, first);
  rows_ = {};
  SLUICE_ASSIGN(tensor_bytes_, byte_size(recipe_.dtype, {recipe_.channels, recipe_.height, recipe_.width}));
  SLUICE_RETURN_IF_ERROR(refill(taps_, taps, "a picture's taps"));
  SLUICE_RETURN_IF_ERROR(refill(factors_, factors_of(recipe_), "a picture's colours"));
  return refill(numbers_, integers_, "a picture's sizes");
}

Status DevicePictures::write(cl_mem to, std::size_t bytes, const void* from) const {
  return context_->checked(
      api_.clEnqueueWriteBuffer(queue_.get(), to, CL_FALSE, 0, bytes, from, 0, nullptr, nullptr),
      "clEnqueueWriteBuffer of a picture");
}

// Tells the kernel how the rows of this picture lie, when that changed.
Status DevicePictures::describe_rows(const Image& image) {
  std::array<Rows, 3> rows;
  for (std::size_t p = 0; p < planes(); ++p) rows[p] = {image.strides[p], planes_[p].adopted.offset};
  if (rows == rows_) return {};
  for (std::size_t c = 0; c < static_cast<std::size_t>(recipe_.component_count); ++c) {
    std::int32_t* of = integers_.data() + NUMBERS_COMMON + c * NUMBERS_COMPONENT;
    const auto p = static_cast<std::size_t>(recipe_.components[c].plane);
    of[SAMPLE_OFFSET] = recipe_.components[c].byte + static_cast<std::int32_t>(rows[p].offset) -
                        static_cast<std::int32_t>(below_first_row(rows[p].stride, recipe_.planes[p].rows));
    of[SAMPLE_ROW] = static_cast<std::int32_t>(rows[p].stride);
  }
  rows_ = rows;
  return write(numbers_.get(), integers_.size() * sizeof integers_[0], integers_.data());
}

// After it `piece` is what the kernel works on: the memory itself, or a buffer of that size.
Status DevicePictures::attach(Piece& piece, const void* memory, std::size_t bytes, cl_mem_flags flags) {
  if (imports_ && context_->can_import(memory)) {
    auto imported = context_->import(const_cast<void*>(memory), bytes, flags);
    if (imported.ok()) {
      piece.imported = std::move(*imported);
      return {};
    }
    if (context_->lost()) return imported.status();
    imports_ = false;
  }
  if (piece.room >= bytes) return {};
  piece.own = Buffer();
  piece.room = 0;
  SLUICE_ASSIGN(piece.own, context_->buffer(bytes, flags, nullptr, "a picture"));
  piece.room = bytes;
  return {};
}

Status DevicePictures::attach_planes(const Image& image) {
  for (std::size_t p = 0; p < planes(); ++p) {
    const PictureRecipe::Plane& plane = recipe_.planes[p];
    const auto step = static_cast<std::size_t>(std::abs(image.strides[p]));
    const std::size_t bytes =
        step * static_cast<std::size_t>(plane.rows - 1) + static_cast<std::size_t>(plane.row_bytes);
    const std::uint8_t* start = image.planes[p] + below_first_row(image.strides[p], plane.rows);
    planes_[p].adopted = adopted_.find(start, bytes);
    if (planes_[p].adopted.memory) continue;
    SLUICE_RETURN_IF_ERROR(attach(planes_[p], start, bytes, CL_MEM_READ_ONLY));
    if (planes_[p].imported) continue;
    counters().bytes_copied.fetch_add(bytes, std::memory_order_relaxed);
    SLUICE_RETURN_IF_ERROR(write(planes_[p].own.get(), bytes, start));
  }
  return {};
}

Status DevicePictures::bind() {
  const auto or_first = [&](std::size_t p) { return planes_[p < planes() ? p : 0].get(); };
  cl_uint index = 0;
  for (const cl_mem memory :
       {or_first(0), or_first(1), or_first(2), taps_.get(), numbers_.get(), factors_.get(), tensor_.get()})
    SLUICE_RETURN_IF_ERROR(context_->set_memory(kernel_, index++, memory));
  return {};
}

Status DevicePictures::launch() {
  const std::array<std::size_t, 2> local = {std::min<std::size_t>(16, device_.max_work_group), 1};
  const auto width = static_cast<std::size_t>(recipe_.width);
  const std::array<std::size_t, 2> global = {(width + local[0] - 1) / local[0] * local[0],
                                             static_cast<std::size_t>(recipe_.height)};
  return context_->checked(api_.clEnqueueNDRangeKernel(queue_.get(), kernel_.get(), 2, nullptr, global.data(),
                                                       local.data(), 0, nullptr, nullptr),
                           "clEnqueueNDRangeKernel of 'picture'");
}

// Mapping an imported tensor is what makes the device's writes visible to the host.
Status DevicePictures::finish(std::byte* out) {
  if (!tensor_.imported) {
    counters().bytes_copied.fetch_add(tensor_bytes_, std::memory_order_relaxed);
    return context_->checked(api_.clEnqueueReadBuffer(queue_.get(), tensor_.get(), CL_TRUE, 0, tensor_bytes_,
                                                      out, 0, nullptr, nullptr),
                             "clEnqueueReadBuffer of a picture's tensor");
  }
  cl_int error = CL_SUCCESS;
  void* mapped = api_.clEnqueueMapBuffer(queue_.get(), tensor_.get(), CL_FALSE, CL_MAP_READ, 0, tensor_bytes_,
                                         0, nullptr, nullptr, &error);
  SLUICE_RETURN_IF_ERROR(context_->checked(error, "clEnqueueMapBuffer of a picture's tensor"));
  SLUICE_RETURN_IF_ERROR(context_->checked(
      api_.clEnqueueUnmapMemObject(queue_.get(), tensor_.get(), mapped, 0, nullptr, nullptr),
      "clEnqueueUnmapMemObject of a picture's tensor"));
  return context_->checked(api_.clFinish(queue_.get()), "clFinish");
}

Status DevicePictures::make(const Image& image, std::byte* out) {
  SLUICE_RETURN_IF_ERROR(attach_planes(image));
  SLUICE_RETURN_IF_ERROR(describe_rows(image));
  SLUICE_RETURN_IF_ERROR(attach(tensor_, out, tensor_bytes_, CL_MEM_WRITE_ONLY));
  SLUICE_RETURN_IF_ERROR(bind());
  SLUICE_RETURN_IF_ERROR(launch());
  return finish(out);
}

void DevicePictures::release_imports() {
  for (Piece& plane : planes_) {
    plane.imported = Buffer();
    plane.adopted = {};
  }
  tensor_.imported = Buffer();
}

Status DevicePictures::run(const Image& image, std::byte* out) {
  for (bool again = false;; again = true) {
    Status status = context_->lost() ? unavailable(kDeviceLost) : make(image, out);
    // The picture and the tensor must not be touched after we return.
    if (!status.ok() && !context_->lost()) {
      rows_ = {};
      const Status finished = context_->checked(api_.clFinish(queue_.get()), "clFinish");
      if (!finished.ok() && context_->lost()) status = finished;
    }
    release_imports();
    if (status.ok() || !context_->lost() || again) return status;
    SLUICE_RETURN_IF_ERROR(connect().with_context("the OpenCL device was lost; opening it again: "));
    SLUICE_RETURN_IF_ERROR(upload_recipe());
    log_message(LogLevel::kWarning, "preprocess: the OpenCL device was lost and opened again");
  }
}

}  // namespace sluice::gpu
