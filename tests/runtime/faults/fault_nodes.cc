#include "tests/runtime/faults/fault_nodes.h"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <new>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "nodes/declare.h"
#include "runtime/builtin.h"

namespace sluice::testing {
namespace {

// Where hung threads stand. One for all tests of a process, which run one after another.
class Latch {
 public:
  void hang() {
    std::unique_lock lock(mutex_);
    const int mine = generation_;
    ++hung_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return generation_ != mine; });
    --leaving_;
    changed_.notify_all();
  }
  // Blocks until all that hang now have left; others may hang meanwhile.
  void release() {
    std::unique_lock lock(mutex_);
    ++generation_;
    leaving_ += std::exchange(hung_, 0);
    changed_.notify_all();
    changed_.wait(lock, [&] { return leaving_ == 0; });
  }
  void wait_for(int threads) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return hung_ >= threads; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int generation_ = 0;
  int hung_ = 0;     // of this generation
  int leaving_ = 0;  // of earlier ones
};

// Never destroyed: a thread may still stand in it when static objects go.
Latch& latch() {
  static auto* const kLatch = new Latch();
  return *kLatch;
}

// What leaking nodes keep.
class Kept {
 public:
  void add(std::span<const Packet> packets) {
    std::lock_guard lock(mutex_);
    packets_.insert(packets_.end(), packets.begin(), packets.end());
  }
  int give_back() {
    std::vector<Packet> last;
    {
      std::lock_guard lock(mutex_);
      last.swap(packets_);
    }
    return static_cast<int>(last.size());
  }

 private:
  std::mutex mutex_;
  std::vector<Packet> packets_;
};

Kept& kept() {
  static auto* const kKept = new Kept();
  return *kKept;
}

class Fault : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Goes wrong on demand.");
    d.input("in", PortKind::kAny);
    d.output("out", PortKind::kAny);
    d.option("does", "none")
        .any_of({"none", "throw", "throw_int", "throw_bad_alloc", "fail", "nothing", "hang", "slow", "drop",
                 "leak"});
    d.option("at", 0);
    d.option("times", 1);
    d.option("ms", OptionKind::kNumbers);
    d.takes_lists = true;
    d.infer_types = [](const TypeContext& context) {
      return Result<std::vector<PortType>>({same_as_input(context, "out")});
    };
  }

  Status process(Context& context) override {
    const Options& options = context.options();
    const auto number = static_cast<std::int64_t>(context.frame().number);
    const std::int64_t since = number - options.integer("at");
    const std::int64_t times = options.integer("times");
    const bool now = since >= 0 && (times < 0 || since < times);
    const std::string& what = options.text("does");
    if (now && what == "nothing") return {};
    if (now) {
      Status status = misbehave(what, context);
      if (!status.ok()) return status;
    }
    for (const Packet& packet : context.packets(0)) context.emit(packet);
    return {};
  }

 private:
  Status misbehave(const std::string& what, Context& context) {
    if (what == "throw") throw std::runtime_error("as told");
    if (what == "throw_int") throw 42;
    if (what == "throw_bad_alloc") throw std::bad_alloc();
    if (what == "fail") return failed("failed as told");
    if (what == "hang") latch().hang();
    if (what == "slow") {
      const Clock& clock = context.clock();
      const TimeNs due = clock.now() + from_ms(slow_ms(context));
      while (!clock.manual() && clock.now() < due) {
      }
    }
    if (what == "drop") context.drop(DropReason::kStale);
    if (what == "leak") kept().add(context.packets(0));
    return {};
  }

  // The n-th slow frame takes the n-th time, or the last one.
  double slow_ms(Context& context) {
    const std::vector<double> all = context.options().numbers("ms");
    return all.at(std::min(slow_++, all.size() - 1));
  }

  std::size_t slow_ = 0;
};

class FaultOwn final : public Fault {
 public:
  static void describe(NodeDeclaration& d) {
    Fault::describe(d);
    d.thread = ThreadKind::kOwn;
  }
};

class StuckSource final : public SourceNode {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Does not come back.");
    d.source = true;
    d.thread = ThreadKind::kOwn;
    d.output("frame", PortKind::kFrame);
    d.option("frames", 3);
    d.option("corrupt_at", OptionKind::kNumbers).fallback = OptionValue{OptionList{}};
  }
  Result<SourceInfo> probe(const OpenContext&) override {
    SourceInfo info;
    info.type = type();
    return info;
  }
  Result<Capture> next(SourceContext& context) override {
    for (const double at : context.options().numbers("corrupt_at")) {
      if (static_cast<double>(made_) != at) continue;
      context.corrupt();
      ++made_;
    }
    if (made_++ == context.options().integer("frames")) latch().hang();
    if (context.stopping()) return cancelled("stopped");
    Capture capture;
    SLUICE_ASSIGN(capture.packet, context.make_image(type()));
    capture.captured = context.clock().now();
    return capture;
  }

 private:
  static ImageType type() {
    ImageType type;
    type.format = PixelFormat::kGray;
    type.width = type.height = 16;
    return type;
  }
  std::int64_t made_ = 0;
};

// What `watch` saw, in the order of its frames.
std::vector<Seen>& seen() {
  static auto* const kSeen = new std::vector<Seen>();
  return *kSeen;
}

class Watch final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Writes down what its second input holds.");
    d.input("in", PortKind::kAny);
    d.input("newest", PortKind::kAny);
    d.sink = true;
    d.takes_lists = true;
    d.infer_types = [](const TypeContext&) { return Result<std::vector<PortType>>(std::vector<PortType>{}); };
  }
  Status process(Context& context) override {
    const std::span<const Packet> newest = context.packets(1);
    Seen now{context.frame().number, newest.size(), 0, 0};
    if (!newest.empty()) {
      now.number = newest.front().frame().number;
      now.age = context.clock().now() - newest.front().frame().captured;
    }
    seen().push_back(now);
    return {};
  }
};

// Outputs that their readers give back at different times; the first frame is overtaken.
class Overtaken final : public Node {
 public:
  static void describe(NodeDeclaration& d) {
    d.about("Its first frame is made when others have left.");
    d.input("in", PortKind::kFrame);
    d.output("read", PortKind::kDetections);
    d.output("other", PortKind::kDetections);
    d.serial = false;
    d.option("others", 3).help("How many frames overtake the first.");
    d.infer_types = [](const TypeContext&) {
      std::vector<PortType> out(2);
      for (PortType& port : out) {
        port.kind = PortKind::kDetections;
        port.payload = payload_type<Detections>();
      }
      out[0].name = "read";
      out[1].name = "other";
      return Result<std::vector<PortType>>(std::move(out));
    };
  }
  Status process(Context& context) override {
    std::unique_lock lock(mutex_);
    if (context.frame().number == 0)
      changed_.wait(lock, [&] { return left_ >= context.options().integer("others"); });
    for (std::size_t port = 0; port < 2; ++port) {
      SLUICE_ASSIGN(Packet packet, context.make(port));
      context.emit(port, std::move(packet));
    }
    ++left_;
    changed_.notify_all();
    return {};
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t left_ = 0;
};

}  // namespace

Registry registry_with_faults() {
  Registry registry = builtin_registry();
  for (const Status& status : {registry.add<Fault>("fault"), registry.add<FaultOwn>("fault_own"),
                               registry.add<StuckSource>("stuck_source"), registry.add<Watch>("watch"),
                               registry.add<Overtaken>("overtaken")}) {
    if (!status.ok()) std::abort();
  }
  return registry;
}

std::vector<Seen> take_seen() { return std::exchange(seen(), {}); }
int give_back_kept() { return kept().give_back(); }
void release_hung() { latch().release(); }
void wait_for_hung(int threads) { latch().wait_for(threads); }

}  // namespace sluice::testing
