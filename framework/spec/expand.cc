#include "framework/spec/expand.h"

#include <optional>

#include "framework/core/suggest.h"
#include "framework/spec/bytes.h"

namespace sluice {
namespace {

bool is_name(std::string_view text) {
  constexpr std::string_view kFirst = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
  if (text.empty() || kFirst.find(text[0]) == std::string_view::npos) return false;
  for (const char c : text) {
    if (kFirst.find(c) == std::string_view::npos && (c < '0' || c > '9')) return false;
  }
  return true;
}

// `inner` is what stands between the braces.
Result<std::string> lookup(std::string_view inner, Environment environment) {
  const std::size_t colon = inner.find(":-");
  const std::string_view name = inner.substr(0, colon);
  if (!is_name(name)) {
    return invalid(in_quotes("${" + std::string(inner) + "}") +
                   " names no environment variable; write ${NAME} or " +
                   "${NAME:-default}, and '$$' for a dollar sign");
  }
  if (inner.find("${") != std::string_view::npos) {
    return invalid("the default of " + in_quotes("${" + std::string(name) + "}") +
                   " contains '${'; a default is plain text");
  }
  std::optional<std::string> value = environment(name);
  if (colon != std::string_view::npos && (!value || value->empty()))
    return std::string(inner.substr(colon + 2));
  if (!value) {
    return invalid("the environment variable " + in_quotes(name) + " is not set; set it, or write ${" +
                   std::string(name) + ":-default}");
  }
  if (const auto issue = check_bytes(*value)) {
    return invalid("the environment variable " + in_quotes(name) + " cannot be used: " + issue->message);
  }
  return *std::move(value);
}

}  // namespace

Result<std::string> expand(std::string_view text, Environment environment) {
  std::string out;
  while (!text.empty()) {
    const std::size_t dollar = text.find('$');
    out += text.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar + 1);
    if (text.starts_with('$')) {
      out += '$';
      text.remove_prefix(1);
    } else if (text.starts_with('{')) {
      const std::size_t close = text.find('}');
      if (close == std::string_view::npos) {
        return invalid(in_quotes("$" + std::string(text)) +
                       " has no closing '}'; write '$$' for a dollar sign");
      }
      SLUICE_ASSIGN(const std::string value, lookup(text.substr(1, close - 1), environment));
      out += value;
      text.remove_prefix(close + 1);
    } else {
      out += '$';
    }
  }
  return out;
}

}  // namespace sluice
