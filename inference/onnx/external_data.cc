#include "inference/onnx/external_data.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <string_view>

namespace sluice::onnx {
namespace {

Status refuse(const ExternalData& data, const std::string& why) {
  return unavailable("the weights of '" + data.tensor + "' lie in '" + data.location + "', " + why);
}

constexpr const char* kStay = "; external data must stay inside the model's folder";

Status check_component(const ExternalData& data, const std::string& path, bool last, struct stat& info) {
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return refuse(data, "which is missing; copy it next to the model");
    return refuse(data, std::string("which cannot be read: ") + std::strerror(errno));
  }
  if (S_ISLNK(info.st_mode)) return refuse(data, std::string("which passes through a symbolic link") + kStay);
  if (!last) return {};
  if (!S_ISREG(info.st_mode)) return refuse(data, "which is not a regular file");
  if (info.st_nlink > 1)
    return refuse(data, std::string("which is a hard link to a file that lies elsewhere too") + kStay +
                            "; copy the file");
  return {};
}

// The providers do not look: what reads past the file or past the tensor's own bytes ends the process.
Status check_size(const ExternalData& data, std::uint64_t size) {
  if (!data.no_number.empty())
    return refuse(data, "with " + data.no_number + ", a number of bytes is allowed; export the model again");
  if (data.length > 0 && data.needed > 0 && data.length != data.needed)
    return refuse(data, "of which the model gives it " + std::to_string(data.length) + " bytes, " +
                            std::to_string(data.needed) +
                            " by its type and dimensions; export the model again");
  const std::uint64_t wanted = std::max(data.length, data.needed);
  if (data.offset > size || wanted > size - data.offset)
    return refuse(data, "which has " + std::to_string(size) + " bytes where the model wants " +
                            std::to_string(wanted) + " from " + std::to_string(data.offset) +
                            "; copy it again");
  return {};
}

Status check_one(const ExternalData& data, const std::string& folder) {
  const std::string_view location = data.location;
  if (location.empty()) return refuse(data, "which names no file");
  if (location.find('\0') != std::string_view::npos) return refuse(data, "which has a NUL in its name");
  if (location.front() == '/') return refuse(data, std::string("an absolute path") + kStay);
  std::string path = folder;
  struct stat info{};
  for (std::size_t at = 0; at < location.size();) {
    const std::size_t slash = std::min(location.find('/', at), location.size());
    const std::string_view part = location.substr(at, slash - at);
    at = slash + 1;
    if (part == "..") return refuse(data, std::string("which leaves the model's folder with '..'") + kStay);
    if (part.empty() || part == ".") continue;
    path += '/';
    path += part;
    SLUICE_RETURN_IF_ERROR(check_component(data, path, at >= location.size(), info));
  }
  return check_size(data, static_cast<std::uint64_t>(info.st_size));
}

}  // namespace

Status check_external_data(const std::vector<ExternalData>& external, const std::string& folder) {
  for (const ExternalData& data : external) SLUICE_RETURN_IF_ERROR(check_one(data, folder));
  return {};
}

}  // namespace sluice::onnx
