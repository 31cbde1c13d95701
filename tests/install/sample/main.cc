// Pushes pictures into a pipeline with a node of its own, and prints what comes out. Exit code 0: all as
// expected.
#include <sluice/sluice.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "doubler.h"

namespace {

constexpr int kWidth = 32, kHeight = 16, kFrames = 10;

constexpr const char* kPipeline = R"(version: 1
name: sample
nodes:
  - {id: mine,    type: app_source, options: {width: 32, height: 16, format: gray, live: false}}
  - {id: doubled, type: doubler,    inputs: mine}
  - {id: out,     type: app_sink,   inputs: doubled}
)";

int fail(const sluice::Status& status) {
  std::fprintf(stderr, "sample: %s\n", status.message().c_str());
  return 1;
}

sluice::Status push_frames(sluice::AppSourceHandle source) {
  std::array<std::uint8_t, kWidth * kHeight> pixels{};
  sluice::Frame frame{.format = sluice::PixelFormat::kGray, .width = kWidth, .height = kHeight};
  frame.planes[0] = pixels.data();
  frame.strides[0] = kWidth;
  for (int i = 0; i < kFrames; ++i) {
    pixels[0] = static_cast<std::uint8_t>(i);
    SLUICE_RETURN_IF_ERROR(source.push(frame));
  }
  source.close();
  return {};
}

}  // namespace

int main() {
  sluice::Registry registry = sluice::builtin_registry();
  if (const auto status = registry.add<Doubler>("doubler"); !status.ok()) return fail(status);
  auto pipeline = sluice::Pipeline::load(kPipeline, registry);
  if (!pipeline.ok()) return fail(pipeline.status());

  std::vector<int> seen;  // written by the sink's thread, read after wait()
  const auto collect = [&](const sluice::Packet& packet) { seen.push_back(packet.get<Brightness>()->value); };
  if (const auto status = pipeline->app_sink("out").on_packet(collect); !status.ok()) return fail(status);
  if (const auto status = pipeline->start(); !status.ok()) return fail(status);
  if (const auto status = push_frames(pipeline->app_source("mine")); !status.ok()) return fail(status);
  if (const auto status = pipeline->wait(); !status.ok()) return fail(status);

  const sluice::RunSnapshot counted = pipeline->snapshot();
  const sluice::RunReport report = pipeline->report();
  std::printf("sluice %s: %zu of %d frames:", sluice::version(), seen.size(), kFrames);
  for (const int value : seen) std::printf(" %d", value);
  std::printf("\n");
  bool right = seen.size() == kFrames && report.sources.front().delivered == kFrames &&
               counted.counters.delivered == kFrames;
  for (int i = 0; right && i < kFrames; ++i) right = seen[static_cast<std::size_t>(i)] == 2 * i;
  return right ? 0 : 1;
}
