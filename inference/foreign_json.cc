#include "inference/foreign_json.h"

#include <nlohmann/json.hpp>

namespace sluice {
namespace {

using Json = nlohmann::json;

// Counts levels; the parser stops where one of these returns false.
class Depth : public nlohmann::json_sax<Json> {
 public:
  bool too_deep() const { return levels_ > kMostJsonLevels; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool key(string_t&) override { return true; }
  bool start_object(std::size_t) override { return enter(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  bool enter() { return ++levels_ <= kMostJsonLevels; }
  bool leave() {
    --levels_;
    return true;
  }

  int levels_ = 0;
};

}  // namespace

bool nests_too_deep(std::string_view json) {
  Depth depth;
  Json::sax_parse(json, &depth, Json::input_format_t::json, true, /*ignore_comments=*/true);
  return depth.too_deep();
}

}  // namespace sluice
