// What an artefact was made from. Any difference is another key, so that a stale one is never found.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

class ArtifactKey {
 public:
  // `kind`: what the payload is, "qnn-context" or "opencl-program".
  explicit ArtifactKey(std::string_view kind) { add("kind", kind); }

  // In a fixed order, each name once: hash of the model, chip, driver, versions, options.
  ArtifactKey& add(std::string_view name, std::string_view value);

  // "kind=qnn-context\nmodel=9f2c..\n", with backslashes and newlines of values escaped: two keys are equal
  // exactly when their texts are.
  const std::string& text() const { return text_; }
  // SHA-256 of the text: the entry's file name.
  std::string hash() const;

 private:
  std::string text_;
};

}  // namespace sluice
