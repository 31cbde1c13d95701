// JSON of files that anybody may have written.
#pragma once

#include <string_view>

namespace sluice {

// nlohmann::json copies, compares and prints what it holds by recursion: brackets in brackets a hundred
// thousand deep, which it reads without complaint, end a program later. No file that we know has more than
// ten levels.
constexpr int kMostJsonLevels = 100;

// Whether some value stands deeper than kMostJsonLevels. Of a text that is no JSON, up to where it is one.
// Comments are passed over.
bool nests_too_deep(std::string_view json);

// What the text says, as a nlohmann::json or ordered_json; discarded (is_discarded()) when it is no JSON or
// nests too deep.
template <typename Json>
Json read_json(std::string_view text) {
  if (nests_too_deep(text)) return Json(Json::value_t::discarded);  // not in braces: a list of it
  return Json::parse(text, nullptr, false);
}

}  // namespace sluice
