// What an artefact was made from, and by which versions. Any difference in the first is another entry; one in
// the versions is the same entry gone stale, which is found, told of and made again.
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

  // What makes it: names and values as above, which tell a stale entry from a good one.
  ArtifactKey& add_version(std::string_view name, std::string_view value);

  // "kind=qnn-context\nmodel=9f2c..\n", with backslashes and newlines of values escaped: two keys are equal
  // exactly when their texts are. The versions come last.
  std::string text() const { return made_from_ + versions_; }
  // SHA-256 of the text without the versions: the entry's file name.
  std::string hash() const;

 private:
  std::string made_from_, versions_;
};

}  // namespace sluice
