// Reading single values of /sys and /proc without allocating. A file is opened for each reading: one that the
// kernel took away or put back is noticed at once.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// The first number in the file ("45000\n", "12 %"); none when it cannot be read or has none.
std::optional<double> read_number(const std::string& path);

// The file's first bytes in `buffer`; empty when it cannot be read.
std::string_view read_text(const std::string& path, std::string& buffer);

// First line without its end; empty when it cannot be read. Allocates.
std::string read_line(const std::string& path);

// Paths of the entries of `folder` whose names start with `prefix`, in the order of their numbers (zone2
// before zone10); empty when there is no such folder.
std::vector<std::string> list_folder(const std::string& folder, std::string_view prefix = {});

// The file name of a path.
std::string base_name(const std::string& path);

}  // namespace sluice
