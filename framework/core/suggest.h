// The words every message about wrong input is made of: quoting, lists of what is allowed, `did you mean
// 'x'?`.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace sluice {

// 'text', on one line and without the passwords of addresses: control characters are written as \xNN, and
// what lies beyond about 60 bytes as "...".
std::string in_quotes(std::string_view text);

// The same for the name of a file or folder, which stays whole up to the 4096 bytes that a system call takes:
// its end is what tells one file from another.
std::string path_in_quotes(std::string_view path);

// "a, b, c".
std::string comma_list(std::span<const std::string_view> names);
std::string comma_list(std::span<const std::string> names);

// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours, each 1.
// Upper and lower case count as equal.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The nearest candidate when it is near enough to be a slip (a third of the word's length, at least 1; the
// first one of several), else empty. The view points into `candidates`.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);
std::string_view nearest(std::string_view word, std::span<const std::string> candidates);

// "; did you mean 'x'?", or empty when nothing is near.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

// ", allowed: a, b, c; did you mean 'b'?"
std::string allowed(std::string_view word, std::span<const std::string_view> candidates);
std::string allowed(std::string_view word, std::span<const std::string> candidates);

}  // namespace sluice
