#include "backends/cache/artifact_key.h"

#include "inference/sha256.h"

namespace sluice {
namespace {

void append_line(std::string& text, std::string_view name, std::string_view value) {
  text.append(name).push_back('=');
  for (const char c : value) {
    if (c == '\\')
      text += "\\\\";
    else if (c == '\n')
      text += "\\n";
    else
      text.push_back(c);
  }
  text.push_back('\n');
}

}  // namespace

ArtifactKey& ArtifactKey::add(std::string_view name, std::string_view value) {
  append_line(made_from_, name, value);
  return *this;
}

ArtifactKey& ArtifactKey::add_version(std::string_view name, std::string_view value) {
  append_line(versions_, name, value);
  return *this;
}

std::string ArtifactKey::hash() const { return sha256_hex(made_from_); }

}  // namespace sluice
