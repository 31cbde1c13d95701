#include "framework/core/redact.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace sluice {
namespace {

constexpr std::string_view kMask = "***";
constexpr std::array<std::string_view, 13> kSecretKeys = {
    "password", "passwd", "pwd",     "pass",   "token",     "access_token", "auth",
    "secret",   "key",    "api_key", "apikey", "signature", "sig"};

bool ends_address(char c) {
  return std::isspace(static_cast<unsigned char>(c)) || c == '\'' || c == '"' || c == '<' || c == '>';
}

bool is_secret(std::string_view key) {
  std::string lower(key);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::find(kSecretKeys.begin(), kSecretKeys.end(), lower) != kSecretKeys.end();
}

// Where to look for the end of host and port. A password may hold '/' and '?' although it should not: when
// what stands behind the first ':' is no port, everything up to the last '@' counts as one.
std::size_t password_end(std::string_view address) {
  const std::size_t first_end = std::min(address.find_first_of("/?#"), address.size());
  const std::size_t colon = address.find(':');
  const std::size_t at = address.rfind('@');
  if (colon >= first_end || at == std::string_view::npos || at < first_end) return 0;
  const std::string_view port = address.substr(colon + 1, first_end - colon - 1);
  const bool is_port = std::all_of(port.begin(), port.end(), [](unsigned char c) { return std::isdigit(c); });
  return is_port ? 0 : at;
}

// "user:password@host" -> "user:***@host"; a password may itself hold '@', so the last one counts.
void append_authority(std::string_view authority, std::string& out) {
  const std::size_t at = authority.rfind('@');
  if (at == std::string_view::npos) {
    out += authority;
    return;
  }
  const std::size_t colon = authority.substr(0, at).find(':');
  if (colon != std::string_view::npos) out += authority.substr(0, colon + 1);
  out += kMask;
  out += authority.substr(at);
}

void append_query(std::string_view query, std::string& out) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find_first_of("&;#"), query.size() - 1) + 1;
    const std::string_view part = query.substr(0, end);
    const std::size_t equals = part.find('=');
    if (equals != std::string_view::npos && is_secret(part.substr(0, equals))) {
      out += part.substr(0, equals + 1);
      out += kMask;
      if (part.find_first_of("&;#") != std::string_view::npos) out += part.back();
    } else {
      out += part;
    }
    query.remove_prefix(end);
  }
}

}  // namespace

std::string redact_url(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t scheme = text.find("://");
    if (scheme == std::string_view::npos) break;
    out += text.substr(0, scheme + 3);
    text.remove_prefix(scheme + 3);
    const auto end =
        static_cast<std::size_t>(std::find_if(text.begin(), text.end(), ends_address) - text.begin());
    const std::string_view address = text.substr(0, end);
    const std::size_t path = address.find_first_of("/?#", password_end(address));
    append_authority(address.substr(0, path), out);
    if (path != std::string_view::npos) {
      const std::size_t query = std::min(address.find('?', path), address.size());
      out += address.substr(path, query - path);
      if (query < address.size()) {
        out += '?';
        append_query(address.substr(query + 1), out);
      }
    }
    text.remove_prefix(end);
  }
  out += text;
  return out;
}

}  // namespace sluice
