#include "framework/core/redact.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <span>

namespace sluice {
namespace {

constexpr std::string_view kMask = "***";
constexpr std::array<std::string_view, 13> kSecretKeys = {
    "password", "passwd", "pwd",     "pass",   "token",     "access_token", "auth",
    "secret",   "key",    "api_key", "apikey", "signature", "sig"};

bool ends_address(char c) {
  return std::isspace(static_cast<unsigned char>(c)) || c == '\'' || c == '"' || c == '<' || c == '>';
}

// Of settings outside of a query, where "key" and "pass" are words like others.
constexpr std::array<std::string_view, 11> kSecretSettings = {
    "password", "passwd", "pwd",     "user-pw", "proxy-pw",    "passphrase",
    "token",    "secret", "api_key", "apikey",  "access_token"};
constexpr std::array<std::string_view, 8> kNetworkSchemes = {"rtsp", "rtsps", "http", "https",
                                                             "rtmp", "tcp",   "udp",  "srt"};
constexpr std::array<std::string_view, 3> kOtherSchemes = {"file", "v4l2", "gst"};

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

std::size_t first_end(std::string_view text) {
  return static_cast<std::size_t>(std::find_if(text.begin(), text.end(), ends_address) - text.begin());
}

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), lower_case(name)) != names.end();
}

bool is_secret(std::string_view key) { return is_one_of(kSecretKeys, key); }

bool is_digit(unsigned char c) { return std::isdigit(c) != 0; }

// Where the address ends that stands at the beginning, without "rtsp://". Quotes end one in a sentence, but
// may also stand in a password: then there is a ':' without a port before them, and an '@' behind.
std::size_t address_end(std::string_view text) {
  const std::size_t end = first_end(text);
  const std::string_view address = text.substr(0, end);
  const std::string_view word = text.substr(0, text.find_first_of(" \t\r\n"));
  const std::size_t colon = address.find_first_of(":@/");
  const std::size_t at = word.rfind('@');
  if (colon == std::string_view::npos || address[colon] != ':' || at == std::string_view::npos || at < end)
    return end;
  const std::string_view port = address.substr(colon + 1);
  if (!port.empty() && std::all_of(port.begin(), port.end(), is_digit)) return end;
  return at + first_end(text.substr(at));
}

// Where to look for the end of host and port. A password may hold '/' and '?' although it should not: when
// what stands behind the first ':' is no port, everything up to the last '@' counts as one.
std::size_t password_end(std::string_view address) {
  const std::size_t first_end = std::min(address.find_first_of("/?#"), address.size());
  const std::size_t colon = address.find(':');
  const std::size_t at = address.rfind('@');
  if (colon >= first_end || at == std::string_view::npos || at < first_end) return 0;
  const std::string_view port = address.substr(colon + 1, first_end - colon - 1);
  const bool is_port = std::all_of(port.begin(), port.end(), is_digit);
  return is_port ? 0 : at;
}

// "user:password@host" -> "user:***@host"; a password may itself hold '@', so the last one counts.
void append_authority(std::string_view authority, std::string& out) {
  const std::size_t at = authority.rfind('@');
  if (at == std::string_view::npos) {
    out += authority;
    return;
  }
  const std::size_t secret = authority.substr(0, at).find(':') + 1;  // 0: there is but a name
  out += authority.substr(0, secret);
  if (secret < at) out += kMask;
  out += authority.substr(at);
}

void append_query(std::string_view query, std::string& out) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find_first_of("&;#"), query.size() - 1) + 1;
    const std::string_view part = query.substr(0, end);
    const std::size_t equals = part.find('=');
    if (equals != std::string_view::npos && is_secret(part.substr(0, equals))) {
      const std::size_t value_end = std::min(part.find_first_of("&;#"), part.size());
      out += part.substr(0, equals + 1);
      if (equals + 1 < value_end) out += kMask;
      out += part.substr(value_end);
    } else {
      out += part;
    }
    query.remove_prefix(end);
  }
}

// Addresses as they should be.
std::string redact_addresses(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t scheme = text.find("://");
    if (scheme == std::string_view::npos) break;
    out += text.substr(0, scheme + 3);
    text.remove_prefix(scheme + 3);
    const std::size_t end = address_end(text);
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

bool names_network(std::string_view word) {
  return is_one_of(kNetworkSchemes, word.substr(0, word.find(':')));
}

// The length of "rtsp:" in "rtsp:joe:secret@host".
std::size_t scheme_length(std::string_view word) {
  const std::size_t colon = word.find(':');
  if (colon == std::string_view::npos) return 0;
  return names_network(word) || is_one_of(kOtherSchemes, word.substr(0, colon)) ? colon + 1 : 0;
}

// Where the ':' before a password stands; those before a port of digits and a '/' are skipped.
std::size_t password_colon(std::string_view word, std::size_t from) {
  for (std::size_t colon = word.find(':', from); colon != std::string_view::npos;
       colon = word.find(':', colon + 1)) {
    const std::size_t end = std::min(word.find_first_not_of("0123456789", colon + 1), word.size());
    if (end == colon + 1 || end == word.size() || word[end] != '/') return colon;
  }
  return std::string_view::npos;
}

// Addresses with a typing error, or without a scheme: "http:/joe:secret@host", "joe:secret@host/x".
void append_word(std::string_view word, std::string& out) {
  const std::size_t at = word.rfind('@');
  const std::size_t scheme = scheme_length(word);
  const std::size_t colon = password_colon(word.substr(0, at), scheme);
  if (at == std::string_view::npos || word.find("://") != std::string_view::npos) {
    out += word;
    return;
  }
  std::size_t secret = at;
  if (colon < at)
    secret = colon + 1;
  else if (scheme > 0 && names_network(word))
    secret = std::min(word.find_first_not_of('/', scheme), at);
  out += word.substr(0, secret);
  if (secret < at) out += kMask;
  out += word.substr(at);
}

std::string redact_words(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t end = first_end(text);
    append_word(text.substr(0, end), out);
    if (end < text.size()) out += text[end];
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-'; }

// Where the value ends that `text` begins with: at its closing quote, or where a word or a part of a query
// does.
std::size_t value_end(std::string_view text) {
  if (!text.empty() && (text.front() == '"' || text.front() == '\''))
    return std::min(text.find(text.front(), 1), text.size());
  const auto ends = [](char c) { return ends_address(c) || c == '&' || c == ';' || c == '#'; };
  return static_cast<std::size_t>(std::find_if(text.begin(), text.end(), ends) - text.begin());
}

// Settings such as those of GStreamer's elements: user-pw=secret.
std::string redact_settings(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t equals = text.find('='); equals != std::string_view::npos; equals = text.find('=')) {
    const std::string_view before = text.substr(0, text.find_last_not_of(' ', equals - (equals > 0)) + 1);
    std::size_t name = before.size();
    while (name > 0 && is_name(before[name - 1])) --name;
    std::size_t value = std::min(text.find_first_not_of(' ', equals + 1), text.size());
    if (!is_one_of(kSecretSettings, before.substr(name))) {
      out += text.substr(0, equals + 1);
      text.remove_prefix(equals + 1);
      continue;
    }
    const std::size_t end = value + value_end(text.substr(value));
    if (value < end && (text[value] == '"' || text[value] == '\'')) ++value;
    out += text.substr(0, value);
    if (value < end) out += kMask;
    text.remove_prefix(end);
  }
  out += text;
  return out;
}

}  // namespace

std::string redact_url(std::string_view text) {
  return redact_settings(redact_words(redact_addresses(text)));
}

}  // namespace sluice
