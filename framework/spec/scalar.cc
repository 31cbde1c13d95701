#include "framework/spec/scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <system_error>

#include "framework/core/suggest.h"

namespace sluice {
namespace {

template <std::size_t N>
bool any_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

constexpr std::array<std::string_view, 5> kNull = {"", "~", "null", "Null", "NULL"};
constexpr std::array<std::string_view, 3> kTrue = {"true", "True", "TRUE"};
constexpr std::array<std::string_view, 3> kFalse = {"false", "False", "FALSE"};
constexpr std::array<std::string_view, 3> kInfinity = {".inf", ".Inf", ".INF"};
constexpr std::array<std::string_view, 3> kNan = {".nan", ".NaN", ".NAN"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view without_sign(std::string_view text) {
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) text.remove_prefix(1);
  return text;
}

std::size_t count_digits(std::string_view text) {
  return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
}

// [-+]?[0-9]+ | 0o[0-7]+ | 0x[0-9a-fA-F]+: the base and the digits (with '-').
struct Digits {
  int base;
  std::string_view text;
};
std::optional<Digits> integer_digits(std::string_view text) {
  const auto only = [](std::string_view digits, std::string_view set) {
    return !digits.empty() && digits.find_first_not_of(set) == std::string_view::npos;
  };
  if (text.starts_with("0o") && only(text.substr(2), "01234567")) return Digits{8, text.substr(2)};
  if (text.starts_with("0x") && only(text.substr(2), "0123456789abcdefABCDEF"))
    return Digits{16, text.substr(2)};
  if (!only(without_sign(text), "0123456789")) return std::nullopt;
  if (text[0] == '+') text.remove_prefix(1);
  return Digits{10, text};
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool looks_like_float(std::string_view text) {
  text = without_sign(text);
  const std::size_t whole = count_digits(text);
  text.remove_prefix(whole);
  std::size_t fraction = 0;
  if (!text.empty() && text[0] == '.') {
    fraction = count_digits(text.substr(1));
    text.remove_prefix(1 + fraction);
  }
  if (whole + fraction == 0) return false;
  if (text.empty()) return true;
  if (text[0] != 'e' && text[0] != 'E') return false;
  const std::string_view exponent = without_sign(text.substr(1));
  return !exponent.empty() && count_digits(exponent) == exponent.size();
}

Result<Value> integer(const Digits& digits, std::string_view text, Mark mark) {
  std::int64_t number = 0;
  const char* const end = digits.text.data() + digits.text.size();
  const auto [stop, error] = std::from_chars(digits.text.data(), end, number, digits.base);
  if (error == std::errc{} && stop == end) return Value{number, mark};
  return invalid("the number " + in_quotes(text) +
                 " does not fit into 64 bits; put it in quotes if it is a text");
}

Result<Value> floating(std::string_view text, Mark mark) {
  double number = 0;
  const std::string_view digits = text[0] == '+' ? text.substr(1) : text;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error == std::errc::result_out_of_range) {
    return invalid("the number " + in_quotes(text) +
                   " is beyond the range of a double; put it in quotes if it is a text");
  }
  return Value{number, mark};
}

}  // namespace

Result<Value> resolve_scalar(std::string_view text, Mark mark) {
  if (any_of(text, kNull)) return Value{std::monostate{}, mark};
  if (any_of(text, kTrue)) return Value{true, mark};
  if (any_of(text, kFalse)) return Value{false, mark};
  if (any_of(without_sign(text), kInfinity) || any_of(text, kNan)) {
    return invalid("the value " + in_quotes(text) + " is not finite; only finite numbers are allowed");
  }
  if (const auto digits = integer_digits(text)) return integer(*digits, text, mark);
  if (looks_like_float(text)) return floating(text, mark);
  return Value{std::string(text), mark};
}

}  // namespace sluice
