// The part of image_sink that needs FFmpeg.
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "framework/node/node.h"
#include "nodes/picture_name.h"
#include "nodes/video/encoder.h"
#include "nodes/video/output_file.h"
#include "nodes/video/picture_preparer.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;
constexpr std::array<const char*, 1> kJpeg = {"mjpeg"};
constexpr std::array<const char*, 1> kPng = {"png"};

class PictureWriter final : public Node {
 public:
  PictureWriter() : packet_(av_packet_alloc()) { install_libav_log(); }

  Status open(const OpenContext& context) override;
  Status process(Context& context) override;

 private:
  ImageType file_type(const ImageType& type) const;
  Status make_encoder(const ImageType& type);
  Status write(const std::string& path);

  PictureName name_;
  bool overwrite_ = false;
  int quality_ = 90;
  std::vector<std::string> sources_;
  std::string path_;  // of the picture being written
  bool folder_made_ = false;
  ImageType encoded_;  // what the encoder is open for
  PicturePreparer preparer_;
  Encoder encoder_;
  LibavPtr<AVPacket> packet_;
};

Status PictureWriter::open(const OpenContext& context) {
  const Options& options = *context.options;
  SLUICE_ASSIGN(name_, PictureName::parse(options.text("path")));
  overwrite_ = options.flag("overwrite");
  quality_ = static_cast<int>(options.integer("quality"));
  sources_ = context.source_names;
  const fs::path folder = fs::path(name_.pattern()).parent_path();
  std::error_code error;
  if (!folder.empty() && fs::exists(folder, error) && !fs::is_directory(folder, error)) {
    return failed(fmt::format("'{}' is no folder, so no pictures can be written into it", folder.string()));
  }
  if (overwrite_) return {};
  const std::vector<std::string> names = name_.has_source() ? sources_ : std::vector<std::string>{""};
  for (const std::string& source : names) {
    const std::string existing = name_.existing(source);
    if (existing.empty()) continue;
    return failed(fmt::format(
        "'{}' exists already: set overwrite: true to replace it, or choose another path", existing));
  }
  return {};
}

// JPEG is BT.601 in full range (JFIF), with the picture's own chroma where it has that already; PNG is RGB or
// grey.
ImageType PictureWriter::file_type(const ImageType& type) const {
  ImageType out = upright_type(type);
  if (name_.png()) {
    out.format = type.format == PixelFormat::kGray ? PixelFormat::kGray : PixelFormat::kRgb;
    out.color.range = ColorRange::kFull;
    return out;
  }
  const bool planar = out.format == PixelFormat::kI422 || out.format == PixelFormat::kI444;
  if (!planar) out.format = PixelFormat::kI420;
  out.color = {ColorMatrix::kBt601, ColorRange::kFull};
  return out;
}

Status PictureWriter::make_encoder(const ImageType& type) {
  if (encoder_.is_open() && type == encoded_) return {};
  EncoderSettings settings;
  settings.names = name_.png() ? std::span<const char* const>(kPng) : std::span<const char* const>(kJpeg);
  settings.type = type;
  settings.time_base = {1, 30};
  settings.quality = quality_;
  settings.reorders = false;
  encoded_ = type;
  return encoder_.open(settings);
}

Status PictureWriter::process(Context& context) {
  const Image* image = context.input<Image>(0);
  if (image == nullptr) return {};
  const FrameInfo& frame = context.frame();
  name_.expand(frame.source < sources_.size() ? std::string_view(sources_[frame.source]) : "", frame.number,
               path_);
  const ImageType type = file_type(image->type);
  SLUICE_RETURN_IF_ERROR(make_encoder(type));
  SLUICE_ASSIGN(const Image* ready, preparer_.prepare(*image, type));
  SLUICE_RETURN_IF_ERROR(encoder_.send(*ready, static_cast<std::int64_t>(frame.number), {}));
  SLUICE_ASSIGN(const bool got, encoder_.receive(*packet_));
  if (!got) return failed(fmt::format("'{}': the encoder gave no picture", path_));
  return write(path_);
}

Status PictureWriter::write(const std::string& path) {
  if (!std::exchange(folder_made_, true)) {
    std::error_code error;
    const fs::path folder = fs::path(path).parent_path();
    if (!folder.empty()) fs::create_directories(folder, error);
    if (error) return failed(fmt::format("folder '{}' cannot be made: {}", folder.string(), error.message()));
  }
  OutputFile file;
  SLUICE_RETURN_IF_ERROR(file.create(path, overwrite_));
  Status status = file.write({packet_->data, static_cast<std::size_t>(packet_->size)});
  if (status.ok()) status = file.close();
  std::error_code error;
  if (!status.ok()) fs::remove(path, error);  // a part is no picture
  return status;
}

}  // namespace
}  // namespace sluice

extern "C" sluice::Node* sluice_picture_writer() { return new sluice::PictureWriter(); }
