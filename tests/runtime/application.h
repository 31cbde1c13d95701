// An application with a pipeline that it feeds and reads itself.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/builtin.h"
#include "runtime/pipeline.h"

namespace sluice::testing {

inline constexpr int kWidth = 32, kHeight = 16;

class Picture {
 public:
  Frame frame() const {
    Frame out{.format = PixelFormat::kGray, .width = kWidth, .height = kHeight};
    out.planes[0] = pixels_.data();
    out.strides[0] = kWidth;
    return out;
  }

 private:
  std::array<std::uint8_t, kWidth * kHeight> pixels_{};
};

// An application: `live` or not, with `between` in the middle, and what came out of it.
class Application {
 public:
  explicit Application(bool live, const std::string& between = "type: rate_limit, options: {rate_hz: 100000}",
                       const Registry& registry = builtin_registry())
      : pipeline_(Pipeline::load("version: 1\nname: application\nnodes:\n"
                                 "  - {id: mine, type: app_source, options: {width: 32, height: 16, format: "
                                 "gray, live: " +
                                     std::string(live ? "true" : "false") +
                                     "}}\n  - {id: middle, inputs: mine, " + between +
                                     "}\n  - {id: out, type: app_sink, inputs: middle}\n",
                                 registry)) {
    EXPECT_TRUE(pipeline_.ok()) << pipeline_.status().message();
    EXPECT_TRUE(sink().on_packet([this](const Packet& p) { numbers_.push_back(p.frame().number); }).ok());
  }
  Pipeline& pipeline() { return *pipeline_; }
  AppSourceHandle source() { return pipeline_->app_source("mine"); }
  AppSinkHandle sink() { return pipeline_->app_sink("out"); }
  Status push(double media_ms) {
    Frame frame = picture_.frame();
    frame.media_time_ms = media_ms;
    return source().push(frame);
  }
  // Of the sink's thread; read after wait().
  const std::vector<std::uint64_t>& numbers() const { return numbers_; }

 private:
  Picture picture_;
  std::vector<std::uint64_t> numbers_;
  Result<Pipeline> pipeline_;
};

}  // namespace sluice::testing
