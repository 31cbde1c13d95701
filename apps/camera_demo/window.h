// A window on OpenCV's highgui for the newest picture of an app_sink.
#pragma once

#include <mutex>
#include <string>

#include "framework/core/packet.h"

// `offer` may be called from any thread; `show` from the main thread only, as window systems want it.
class Window {
 public:
  explicit Window(std::string title) : title_(std::move(title)) {}
  // Keeps the newest packet (an Image).
  void offer(const sluice::Packet& packet);
  // Shows what was offered last and handles keys; false when the user pressed q.
  bool show();

 private:
  const std::string title_;
  std::mutex mutex_;
  sluice::Packet newest_;
};
