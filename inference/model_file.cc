#include "inference/model_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "framework/core/suggest.h"

namespace sluice {
namespace {

std::string quoted(const std::string& path) { return path_in_quotes(path); }

Status cannot_open(const std::string& path, int error) {
  if (error == ENOENT)
    return unavailable("there is no file " + quoted(path) + "; check 'path', or run tools/dev setup");
  return unavailable("cannot open " + quoted(path) + ": " + std::strerror(error));
}

std::string gibibytes(std::int64_t bytes) {
  return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / (1024.0 * 1024 * 1024));
}

Status check(const std::string& path, const struct stat& info) {
  if (S_ISDIR(info.st_mode)) return unavailable(quoted(path) + " is a folder, not a model file");
  if (!S_ISREG(info.st_mode)) return unavailable(quoted(path) + " is not a regular file");
  if (info.st_size == 0) {
    SLUICE_RETURN_IF_ERROR(check_format(path, {}));  // what to convert it with is more to the point
    return unavailable(quoted(path) + " is empty; copy or export the model again");
  }
  if (info.st_size > kMaxModelBytes)
    return unavailable(quoted(path) + " has " + gibibytes(info.st_size) +
                       ", an ONNX file ends at 2 GiB; save the weights as external data");
  return {};
}

FileStamp make_stamp(const struct stat& info) {
  return {.device = static_cast<std::uint64_t>(info.st_dev),
          .inode = static_cast<std::uint64_t>(info.st_ino),
          .modified_ns = std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec,
          .size = static_cast<std::int64_t>(info.st_size)};
}

}  // namespace

Status check_format(const std::string& path, std::string_view bytes) {
  if (path.ends_with(".tflite") || (bytes.size() > 8 && bytes.substr(4, 4) == "TFL3"))
    return unavailable(quoted(path) +
                       " is a TensorFlow Lite model, Sluice runs ONNX; convert it with "
                       "python -m tf2onnx.convert --tflite " +
                       path + " --output model.onnx");
  if (path.ends_with(".dlc"))
    return unavailable(quoted(path) +
                       " is a DLC of Qualcomm's SNPE, which cannot be converted back; export the "
                       "original network as ONNX (torch.onnx.export, tf2onnx) and use backend htp");
  return {};
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<FileStamp> ModelFile::stamp_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return cannot_open(path, errno);
  SLUICE_RETURN_IF_ERROR(check(path, info));
  return make_stamp(info);
}

Result<std::shared_ptr<const ModelFile>> ModelFile::open(const std::string& path) {
  // Non-blocking: a FIFO in place of the file must not stop us.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return cannot_open(path, errno);
  struct stat info{};
  Status status = ::fstat(fd, &info) == 0 ? check(path, info) : cannot_open(path, errno);
  void* data = MAP_FAILED;
  if (status.ok()) {
    data = ::mmap(nullptr, static_cast<std::size_t>(info.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) status = unavailable("cannot read " + quoted(path) + ": " + std::strerror(errno));
  }
  ::close(fd);
  if (!status.ok()) return status;
  return std::shared_ptr<const ModelFile>(
      new ModelFile(path, static_cast<const char*>(data), make_stamp(info)));
}

std::shared_ptr<const ModelFile> ModelFile::made_from(const ModelFile& file, std::string bytes) {
  std::shared_ptr<ModelFile> out(new ModelFile(file.path(), nullptr, file.stamp()));
  out->made_ = std::move(bytes);
  out->data_ = out->made_.data();
  out->stamp_.size = static_cast<std::int64_t>(out->made_.size());
  return out;
}

ModelFile::~ModelFile() {
  if (made_.empty()) ::munmap(const_cast<char*>(data_), static_cast<std::size_t>(stamp_.size));
}

}  // namespace sluice
