// Takes secrets out of addresses before they are shown anywhere (contract section 4).
#pragma once

#include <string>
#include <string_view>

namespace sluice {

// `text` with every password of an address in it replaced by "***": "rtsp://ann:secret@host/x" ->
// "rtsp://ann:***@host/x", a user name without a password likewise (it may be a token), and the values of
// query keys that carry secrets (password, passwd, pwd, pass, token, access_token, auth, secret, key,
// api_key, apikey, signature, sig). Also of addresses with a typing error or without a scheme
// ("rtsp:/ann:secret@host", "ann:secret@host": any word with a ':' before an '@'), and the values of settings
// with such names ("user-pw=secret"). Works on a bare address and on a sentence that quotes several;
// everything else, an empty password too, stays as it is.
std::string redact_url(std::string_view text);

}  // namespace sluice
