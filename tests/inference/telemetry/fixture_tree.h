// A /sys and /proc of another machine, unpacked from tests/inference/telemetry/trees/NAME.txt ("path: value",
// with
// \n inside values) into a folder of its own.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace sluice::testing {

class FixtureTree {
 public:
  explicit FixtureTree(const std::string& name) {
    std::string pattern = (std::filesystem::temp_directory_path() / "sluice-tree-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    std::ifstream in("tests/inference/telemetry/trees/" + name + ".txt");
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with('#')) continue;
      const std::size_t colon = line.find(": ");  // rapl's folders have colons of their own
      set(line.substr(0, colon), with_line_ends(line.substr(colon + 2)));
      ++files_;
    }
  }
  ~FixtureTree() { std::filesystem::remove_all(root_); }
  FixtureTree(const FixtureTree&) = delete;

  const std::string& root() const { return root_; }
  int files() const { return files_; }
  void set(const std::string& path, const std::string& value) {
    const std::filesystem::path file = std::filesystem::path(root_) / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << value << '\n';
  }
  void set(const std::string& path, double value) { set(path, std::to_string(static_cast<long>(value))); }
  void remove(const std::string& path) { std::filesystem::remove(std::filesystem::path(root_) / path); }

 private:
  static std::string with_line_ends(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool escape = text[i] == '\\' && i + 1 < text.size() && text[i + 1] == 'n';
      out += escape ? '\n' : text[i];
      i += escape;
    }
    return out;
  }

  std::string root_;
  int files_ = 0;
};

}  // namespace sluice::testing
