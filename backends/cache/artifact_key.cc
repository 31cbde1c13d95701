#include "backends/cache/artifact_key.h"

#include "inference/sha256.h"

namespace sluice {

ArtifactKey& ArtifactKey::add(std::string_view name, std::string_view value) {
  text_.append(name).push_back('=');
  for (const char c : value) {
    if (c == '\\')
      text_ += "\\\\";
    else if (c == '\n')
      text_ += "\\n";
    else
      text_.push_back(c);
  }
  text_.push_back('\n');
  return *this;
}

std::string ArtifactKey::hash() const { return sha256_hex(text_); }

}  // namespace sluice
