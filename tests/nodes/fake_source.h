// A SourceContext that stands alone: lets a test call a source's `probe` and `next` as the runtime would,
// with pools made from what the source announced.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "framework/core/clock.h"
#include "framework/node/node.h"
#include "tests/nodes/fake_context.h"

namespace sluice::testing {

class FakeSource : public SourceContext {
 public:
  FakeSource(const NodeDeclaration& declaration, OptionMap written, std::size_t downstream = 2)
      : downstream_(downstream), options_(options_of(declaration, std::move(written))) {
    node_.reset(static_cast<SourceNode*>(std::move(declaration.create()).value().release()));
  }
  ~FakeSource() override {
    if (node_) {
      EXPECT_TRUE(node_->close().ok());
    }
  }

  // --- driving it
  // ---------------------------------------------------------------------------------------------------
  Result<SourceInfo> probe() {
    OpenContext open;
    open.node_id = "camera";
    open.options = options_.get();
    open.clock = &time;
    Result<SourceInfo> info = node_->probe(open);
    if (info.ok()) make_pools(*info);
    return info;
  }
  Result<Capture> next() { return node_->next(*this); }
  SourceNode& node() { return *node_; }
  // Reads to the end; `see` gets each capture and may keep its packet. The status that ended it.
  Status run(const std::function<void(const Capture&)>& see) {
    for (;;) {
      Result<Capture> capture = next();
      if (!capture.ok()) return capture.status();
      see(*capture);
    }
  }

  // --- what happened
  // ------------------------------------------------------------------------------------------------
  ManualClock time;
  bool stop = false;
  int corrupted = 0;
  int reconnects = 0;
  std::vector<SourceInfo> changes;
  PoolStats pool_stats() const { return buffers_->stats(); }

  // --- SourceContext
  // ------------------------------------------------------------------------------------------------
  const Options& options() const override { return *options_; }
  const Clock& clock() const override { return time; }
  bool stopping() const override { return stop; }
  Result<Packet> make_image(const ImageType& type) override {
    SLUICE_ASSIGN(const std::size_t bytes, image_bytes(type));
    SLUICE_ASSIGN(BufferRef buffer, acquire_buffer(bytes));
    SLUICE_ASSIGN(Packet packet, make());
    lay_out(type, std::move(buffer), 64, *packet.edit<Image>());
    return packet;
  }
  Result<Packet> make() override {
    Packet packet = packets_->acquire({});
    if (!packet) return pool_empty();
    return packet;
  }
  Result<BufferRef> acquire_buffer(std::size_t bytes) override {
    if (bytes > buffers_->bytes_each()) return invalid("more bytes are asked for than were announced");
    BufferRef buffer = buffers_->acquire();
    if (!buffer) return pool_empty();
    return buffer;
  }
  void corrupt() override { ++corrupted; }
  void reconnected() override { ++reconnects; }
  Status format_changed(const ImageType& type) override {
    SourceInfo info;
    info.type = type;
    return source_changed(info);
  }
  Status source_changed(const SourceInfo& info) override {
    changes.push_back(info);
    make_pools(info);
    return {};
  }

 private:
  void make_pools(const SourceInfo& info) {
    const std::size_t bytes = info.buffer_bytes > 0 ? info.buffer_bytes : image_bytes(info.type).value();
    const std::size_t count = static_cast<std::size_t>(info.decoder_buffers) + downstream_;
    buffers_ = std::move(BufferPool::create("source", bytes, count)).value();
    packets_ = PacketPool::create("source", payload_type<Image>(), downstream_);
  }

  std::size_t downstream_;
  OptionsPtr options_;
  BufferPool::Ptr buffers_;
  PacketPool::Ptr packets_;
  std::unique_ptr<SourceNode> node_;  // last: its decoder holds buffers
};

}  // namespace sluice::testing
