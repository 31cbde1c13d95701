// What Pipeline::app_source and app_sink return: the application's hold on an end of its pipeline.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "framework/core/status.h"
#include "nodes/app_ends.h"

namespace sluice {

// Copyable; valid as long as its pipeline. False when the pipeline has no app_source of that id: then push
// says so.
class AppSourceHandle {
 public:
  AppSourceHandle(std::string_view id, AppSource* node) : id_(id), node_(node) {}
  explicit operator bool() const { return node_ != nullptr; }
  // As AppSource::push; any thread.
  Status push(const Frame& frame) {
    return node_ ? node_->push(frame) : invalid("the pipeline has no app_source '" + id_ + "'");
  }
  // Ends the stream; what was pushed is still delivered.
  void close() {
    if (node_) node_->close_stream();
  }

 private:
  std::string id_;
  AppSource* node_;
};

// The same for app_sink.
class AppSinkHandle {
 public:
  AppSinkHandle(std::string_view id, AppSink* node) : id_(id), node_(node) {}
  explicit operator bool() const { return node_ != nullptr; }
  // Before start(), later kInvalid. Called from the sink's own thread, once per packet, in order per source;
  // it may block.
  Status on_packet(AppSink::Callback callback) {
    if (!node_) return invalid("the pipeline has no app_sink '" + id_ + "'");
    return node_->on_packet(std::move(callback));
  }

 private:
  std::string id_;
  AppSink* node_;
};

}  // namespace sluice
