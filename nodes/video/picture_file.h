// Picture files on disk: which there are, and what their first bytes say.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "nodes/video/libav.h"

namespace sluice {

// The pictures that `path` (a file, a folder, or a glob pattern with * ? [ ]) stands for, sorted by name. In
// a folder only names with a known extension count (with `recursive` its subfolders' too, links are not
// followed). kFailed when there is none.
Result<std::vector<std::string>> list_pictures(const std::string& path, bool recursive);

// Reads a whole file of at most 256 MiB into `bytes`, plus the padding that decoders read past the end;
// `bytes` keeps its memory. `most`: only so many bytes from its start.
Status read_picture(const std::string& path, std::vector<std::uint8_t>& bytes, std::size_t most = SIZE_MAX);

// By the first bytes; AV_CODEC_ID_NONE: no picture that we read.
AVCodecID picture_codec(std::span<const std::uint8_t> bytes);

struct PictureSize {
  int width = 0;
  int height = 0;
};
// As stored, from the header of a JPEG, PNG or BMP; nullopt for other kinds and where the header is not (all)
// there.
std::optional<PictureSize> picture_size(std::span<const std::uint8_t> bytes);

// False for a JPEG whose end marker is missing: decoders fill what is lost with grey and say nothing.
bool has_end(std::span<const std::uint8_t> bytes);

}  // namespace sluice
