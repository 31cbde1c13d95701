// Status and Result<T>: how every fallible call of Sluice reports failure. No exception crosses a room.
#pragma once

#include <cassert>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace sluice {

// What kind of failure it is. The command line maps a code to its exit code (contract section 4).
enum class Code {
  kOk,
  kInvalid,      // the user's file, option or call is wrong: exit 2
  kUnavailable,  // a model, backend or device cannot be used: exit 3
  kFailed,       // something went wrong while running: exit 1
  kTimeout,      // something outside did not answer in time: exit 1
  kCancelled,    // stopped on purpose before it was done
  kPoolEmpty,    // a pool that the plan sized has no free buffer: a counted drop or back-pressure
  kEndOfStream,  // a source has nothing more
};

std::string_view name_of(Code code);

// Cheap when ok (one null pointer's worth); carries a message otherwise.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  static Status ok_status() { return {}; }

  bool ok() const { return code_ == Code::kOk; }
  explicit operator bool() const { return ok(); }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same failure with where it happened in front: "node 'face': " + message.
  Status with_context(std::string_view context) const;

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

inline Status invalid(std::string message) { return {Code::kInvalid, std::move(message)}; }
inline Status unavailable(std::string message) { return {Code::kUnavailable, std::move(message)}; }
inline Status failed(std::string message) { return {Code::kFailed, std::move(message)}; }
inline Status timed_out(std::string message) { return {Code::kTimeout, std::move(message)}; }
inline Status cancelled(std::string message) { return {Code::kCancelled, std::move(message)}; }
// No message: this one occurs on the hot path.
inline Status pool_empty() { return {Code::kPoolEmpty, {}}; }
inline Status end_of_stream() { return {Code::kEndOfStream, {}}; }

// A value or the Status that explains why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T made) : data_(std::in_place_index<0>, std::move(made)) {}          // NOLINT: implicit by design
  Result(Status status) : data_(std::in_place_index<1>, std::move(status)) {  // NOLINT: implicit by design
    assert(!std::get<1>(data_).ok() && "a Result without a value needs a failure");
  }

  bool ok() const { return data_.index() == 0; }
  explicit operator bool() const { return ok(); }
  // Ok when there is a value.
  Status status() const { return ok() ? Status{} : std::get<1>(data_); }

  T& value() & { return std::get<0>(data_); }
  const T& value() const& { return std::get<0>(data_); }
  T&& value() && { return std::get<0>(std::move(data_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Status> data_;
};

#define SLUICE_CONCAT_INNER(a, b) a##b
#define SLUICE_CONCAT(a, b) SLUICE_CONCAT_INNER(a, b)
// Returns the failure from the enclosing function.
#define SLUICE_RETURN_IF_ERROR(expr) SLUICE_RETURN_IF_ERROR_IMPL(SLUICE_CONCAT(status_, __LINE__), expr)
#define SLUICE_RETURN_IF_ERROR_IMPL(tmp, expr)                \
  do {                                                        \
    if (::sluice::Status tmp = (expr); !tmp.ok()) return tmp; \
  } while (false)
// `SLUICE_ASSIGN(auto x, make());` declares x or returns the failure.
#define SLUICE_ASSIGN(lhs, expr) SLUICE_ASSIGN_IMPL(SLUICE_CONCAT(result_, __LINE__), lhs, expr)
#define SLUICE_ASSIGN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                       \
  if (!tmp.ok()) return tmp.status();      \
  lhs = std::move(tmp).value()

}  // namespace sluice
