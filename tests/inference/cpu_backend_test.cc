// The cpu backend: real model against a direct ONNX Runtime call, sharing, threads, errors, allocations.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <random>
#include <thread>

#include "backends/backends.h"
#include "backends/cpu/cores.h"
#include "backends/cpu/cpu_backend.h"
#include "backends/ort/runtime.h"
#include "framework/core/allocation_scope.h"
#include "inference/session_table.h"
#include "tests/inference/support.h"

namespace {
std::atomic<long> own_allocations{0};
}  // namespace

// Counts what our own code allocates in this test program. Not inlined: the compiler would see malloc on one
// side of a pair only, and warn.
__attribute__((noinline)) void* operator new(std::size_t size) {
  if (sluice::own_code_depth > 0) own_allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace sluice {
namespace {

using ::testing::HasSubstr;
using namespace sluice::testing;

const char* const kFaceModel = "face_detection_front_128x128.onnx";

// The shortest way through ONNX Runtime's C++ API, sharing nothing with the backend but the library.
std::vector<std::vector<float>> golden(const std::string& path, std::vector<float> input) {
  const auto runtime = ort::Runtime::get().value();
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  Ort::Session session(runtime->env(), path.c_str(), options);
  Ort::AllocatorWithDefaultOptions allocator;
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const std::array<std::int64_t, 4> dims{1, 128, 128, 3};
  const auto value =
      Ort::Value::CreateTensor<float>(memory, input.data(), input.size(), dims.data(), dims.size());
  const auto in_name = session.GetInputNameAllocated(0, allocator);
  std::vector<Ort::AllocatedStringPtr> names;
  std::vector<const char*> out_names;
  for (std::size_t i = 0; i < session.GetOutputCount(); ++i) {
    names.push_back(session.GetOutputNameAllocated(i, allocator));
    out_names.push_back(names.back().get());
  }
  const char* in = in_name.get();
  const auto outputs = session.Run({}, &in, &value, 1, out_names.data(), out_names.size());
  std::vector<std::vector<float>> out;
  for (const Ort::Value& output : outputs) {
    const auto* data = output.GetTensorData<float>();
    out.emplace_back(data, data + output.GetTensorTypeAndShapeInfo().GetElementCount());
  }
  return out;
}

std::vector<float> noise(std::size_t count, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> values(-1, 1);
  std::vector<float> out(count);
  for (float& v : out) v = values(random);
  return out;
}

SessionRequest cpu_request(const std::string& path, OptionMap options = {}) {
  SessionRequest request;
  request.model = request_for(path);
  request.backend = "cpu";
  request.options = std::move(options);
  request.slots = 4;
  return request;
}

TEST(CpuBackend, BlazeFaceEqualsADirectCall) {
  const std::string path = fetched_model(kFaceModel);
  const auto session = make_cpu_backend()->open(cpu_request(path));
  ASSERT_TRUE(session.ok()) << session.status().message();
  RunTensors run((*session)->signature());
  const std::vector<float> input = noise(128 * 128 * 3);
  run.inputs[0].set(input);
  for (int repeat = 0; repeat < 2; ++repeat) {
    ASSERT_TRUE((*session)->run(repeat, run.in, run.out).ok());
    const auto expected = golden(path, input);
    ASSERT_EQ(expected.size(), 4u);
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_EQ(run.outputs[i].values<float>(), expected[i]) << i;
  }
  const Placement placement = (*session)->placement();
  EXPECT_GT(placement.total, 50);
  EXPECT_EQ(placement.on_backend, placement.total);
  EXPECT_TRUE(placement.elsewhere.empty());
  EXPECT_EQ((*session)->kind(), RunKind::kCompute);
}

TEST(CpuBackend, MoreThreadsAndBoundCoresGiveTheSame) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ONNX Runtime's own threads are not built for ThreadSanitizer";
#endif
  const std::string path = fetched_model(kFaceModel);
  const std::vector<float> input = noise(128 * 128 * 3);
  const auto one = make_cpu_backend()->open(cpu_request(path));
  const std::string core = std::to_string(read_cores().front().number);
  const auto two = make_cpu_backend()->open(
      cpu_request(path, {{"threads", {std::int64_t{2}}}, {"cores", {core}}, {"spinning", {true}}}));
  ASSERT_TRUE(one.ok() && two.ok()) << two.status().message();
  RunTensors a((*one)->signature()), b((*two)->signature());
  a.inputs[0].set(input);
  b.inputs[0].set(input);
  ASSERT_TRUE((*one)->run(0, a.in, a.out).ok());
  ASSERT_TRUE((*two)->run(0, b.in, b.out).ok());
  const auto x = a.outputs[0].values<float>(), y = b.outputs[0].values<float>();
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], y[i], 1e-3f);
}

TEST(CpuBackend, WarmRunsAllocateNothingOfOurs) {
  SteadyClock clock;
  SessionTable table(clock);
  const auto backend = make_cpu_backend();
  const auto session = table.open(*backend, cpu_request(fetched_model(kFaceModel)));
  ASSERT_TRUE(session.ok()) << session.status().message();
  RunTensors run((*session)->signature());
  ASSERT_TRUE(SharedSession::run(*session, run.in, run.out).ok());
  const OwnCode own;
  own_allocations = 0;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(SharedSession::run(*session, run.in, run.out).ok());
  EXPECT_EQ(own_allocations.load(), 0);
}

// What the program has taken from malloc and not given back.
std::size_t taken_from_malloc() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

TEST(CpuBackend, TheMemoryOfTheFirstRunGoesBack) {
  // The mean comes first and is small: ONNX Runtime keeps the first region of its arena.
  constexpr std::int64_t kCount = 4 << 20;
  constexpr std::size_t kBetween = kCount * sizeof(float);
  const ScratchFolder folder;
  const std::string path = folder.write("m.onnx", ModelBuilder()
                                                      .input("x", {1, kCount})
                                                      .output("y", {1, kCount})
                                                      .node("ReduceMean", {"x"}, {"mean"})
                                                      .node("Sub", {"x", "mean"}, {"difference"})
                                                      .node("Relu", {"difference"}, {"y"})
                                                      .bytes());
  const auto session = make_cpu_backend()->open(cpu_request(path));
  ASSERT_TRUE(session.ok()) << session.status().message();
  RunTensors run((*session)->signature());
  run.inputs[0].set(noise(kCount));
  const std::size_t before = taken_from_malloc();
  ASSERT_TRUE((*session)->run(0, run.in, run.out).ok());
  EXPECT_LT(taken_from_malloc(), before + kBetween / 2);
  const std::vector<float> first = run.outputs[0].values<float>();
  ASSERT_TRUE((*session)->run(0, run.in, run.out).ok());
  EXPECT_EQ(run.outputs[0].values<float>(), first);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they bring their own malloc
  EXPECT_GE(taken_from_malloc(), before + kBetween) << "the test sees nothing of the engine's memory";
#endif
}

TEST(CpuBackend, ManyThreadsShareOneSession) {
  ScratchFolder folder;
  SteadyClock clock;
  SessionTable table(clock);
  const auto backend = make_cpu_backend();
  const std::string path = folder.write("m.onnx", relu_model({1, 64}).bytes());
  std::vector<std::thread> threads;
  threads.reserve(4);
  std::atomic<int> wrong{0};
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 5; ++round) {
        const auto session = table.open(*backend, cpu_request(path));
        if (!session.ok()) {
          ++wrong;
          continue;
        }
        RunTensors run((*session)->signature());
        const std::vector<float> input = noise(64, t);
        run.inputs[0].set(input);
        for (int i = 0; i < 50; ++i) {
          if (!SharedSession::run(*session, run.in, run.out).ok()) ++wrong;
          const auto out = run.outputs[0].values<float>();
          for (std::size_t k = 0; k < out.size(); ++k) wrong += out[k] != std::max(0.0f, input[k]);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST(CpuBackend, ManySessionsAtOnce) {
  ScratchFolder folder;
  const auto backend = make_cpu_backend();
  std::vector<std::thread> threads;
  threads.reserve(4);
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int round = 0; round < 5; ++round) {
        const std::string path =
            folder.write("m" + std::to_string(t) + ".onnx", relu_model({1, 8 + t}).bytes());
        const auto session = backend->open(cpu_request(path));
        if (!session.ok()) {
          ++wrong;
          continue;
        }
        RunTensors run((*session)->signature());
        if (!(*session)->run(0, run.in, run.out).ok()) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST(CpuBackend, MoreBuffersThanBindingsKeepsWorking) {
  ScratchFolder folder;
  const auto session =
      make_cpu_backend()->open(cpu_request(folder.write("m.onnx", relu_model({1, 4}).bytes())));
  ASSERT_TRUE(session.ok());
  std::vector<std::unique_ptr<RunTensors>> runs;
  runs.reserve(150);
  for (int i = 0; i < 150; ++i) runs.push_back(std::make_unique<RunTensors>((*session)->signature()));
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const auto value = static_cast<float>(i + 1);
      runs[i]->inputs[0].set<float>({value, -value, value, 0});
      ASSERT_TRUE((*session)->run(0, runs[i]->in, runs[i]->out).ok());
      EXPECT_THAT(runs[i]->outputs[0].values<float>(), ::testing::ElementsAre(value, 0, value, 0));
    }
  }
}

TEST(CpuBackend, SeveralInputsAndOutputs) {
  ScratchFolder folder;
  const auto session =
      make_cpu_backend()->open(cpu_request(folder.write("m.onnx", ModelBuilder()
                                                                      .input("a", {1, 2})
                                                                      .input("b", {1, 2})
                                                                      .output("sum", {1, 2})
                                                                      .output("difference", {1, 2})
                                                                      .node("Add", {"a", "b"}, {"sum"})
                                                                      .node("Sub", {"a", "b"}, {"difference"})
                                                                      .bytes())));
  ASSERT_TRUE(session.ok()) << session.status().message();
  RunTensors run((*session)->signature());
  run.inputs[0].set<float>({1, 2});
  run.inputs[1].set<float>({10, 20});
  ASSERT_TRUE((*session)->run(0, run.in, run.out).ok());
  EXPECT_THAT(run.outputs[0].values<float>(), ::testing::ElementsAre(11, 22));
  EXPECT_THAT(run.outputs[1].values<float>(), ::testing::ElementsAre(-9, -18));
}

TEST(CpuBackend, AnInputThatIsAnOutputIsHandedOn) {
  ScratchFolder folder;
  const auto session =
      make_cpu_backend()->open(cpu_request(folder.write("m.onnx", ModelBuilder()
                                                                      .input("x", {1, 2})
                                                                      .output("y", {1, 2})
                                                                      .output("x", {1, 2})
                                                                      .node("Neg", {"x"}, {"y"})
                                                                      .bytes())));
  ASSERT_TRUE(session.ok()) << session.status().message();
  RunTensors run((*session)->signature());
  run.inputs[0].set<float>({1, 2});
  ASSERT_TRUE((*session)->run(0, run.in, run.out).ok());
  EXPECT_THAT(run.outputs[0].values<float>(), ::testing::ElementsAre(-1, -2));
  EXPECT_THAT(run.outputs[1].values<float>(), ::testing::ElementsAre(1, 2));
}

TEST(CpuBackend, SymbolicSizesFixedByDims) {
  ScratchFolder folder;
  SessionRequest request = cpu_request(folder.write("m.onnx", relu_model({"N", "w"}).bytes()));
  request.model.dims = {{"w", 3}};
  const auto session = make_cpu_backend()->open(request);
  ASSERT_TRUE(session.ok()) << session.status().message();
  RunTensors run((*session)->signature());
  run.inputs[0].set<float>({-1, 2, 3});
  ASSERT_TRUE((*session)->run(0, run.in, run.out).ok());
  EXPECT_THAT(run.outputs[0].values<float>(), ::testing::ElementsAre(0, 2, 3));
}

TEST(CpuBackend, ExternalDataIsFoundNextToTheModel) {
  ScratchFolder folder;
  const float weights[2] = {5, 6};
  folder.write("w.bin", std::string(reinterpret_cast<const char*>(weights), sizeof weights));
  const auto session = make_cpu_backend()->open(
      cpu_request(folder.write("m.onnx", ModelBuilder()
                                             .input("x", {1, 2})
                                             .output("y", {1, 2})
                                             .weight(external_tensor("w", {1, 2}, "w.bin"))
                                             .node("Add", {"x", "w"}, {"y"})
                                             .bytes())));
  ASSERT_TRUE(session.ok()) << session.status().message();
  RunTensors run((*session)->signature());
  run.inputs[0].set<float>({1, 1});
  ASSERT_TRUE((*session)->run(0, run.in, run.out).ok());
  EXPECT_THAT(run.outputs[0].values<float>(), ::testing::ElementsAre(6, 7));
}

TEST(CpuBackend, WhatOnnxRuntimeRefusesIsQuoted) {
  ScratchFolder folder;
  const auto session = make_cpu_backend()->open(cpu_request(folder.write(
      "m.onnx",
      ModelBuilder().input("x", {1}).output("y", {1}).node("NoSuchOperator", {"x"}, {"y"}).bytes())));
  ASSERT_FALSE(session.ok());
  EXPECT_EQ(session.status().code(), Code::kUnavailable);
  EXPECT_THAT(session.status().message(), HasSubstr("model 'm': ONNX Runtime: "));
  EXPECT_THAT(session.status().message(), HasSubstr("NoSuchOperator"));
}

// ONNX Runtime takes the whole model; without its last DequantizeLinear its optimiser lost the first
// QuantizeLinear.
TEST(CpuBackend, AnIdleExpandBeforeAnIntegerOutputLoads) {
  ModelBuilder model;
  model.input("x", {1, 8}).output("y", {1, 8}).output("z", {1, 1, 8}).scale("s", 0.5f);
  model.weight(tensor<std::uint8_t>("p", onnx::kUint8, {}, {0}));
  model.weight(tensor<std::int64_t>("size", onnx::kInt64, {2}, {1, 8}));
  model.weight(tensor<std::int64_t>("axis", onnx::kInt64, {1}, {0}));
  const auto pair = [&](const std::string& from, const std::string& to) {
    model.node("QuantizeLinear", {from, "s", "p"}, {to + "q"})
        .node("DequantizeLinear", {to + "q", "s", "p"}, {to});
  };
  pair("x", "a");
  model.node("Relu", {"a"}, {"b"});
  pair("b", "c");
  model.node("Expand", {"c", "size"}, {"d"}).node("Unsqueeze", {"c", "axis"}, {"e"});
  pair("d", "y");
  pair("e", "z");
  ScratchFolder folder;
  const auto session = make_cpu_backend()->open(cpu_request(folder.write("m.onnx", model.bytes())));
  ASSERT_TRUE(session.ok()) << session.status().message();
  EXPECT_EQ((*session)->signature().outputs[0].dtype, DType::kUint8);
}

TEST(CpuBackend, FailingRunIsAFailureNotACrash) {
  ScratchFolder folder;
  // Gather with an index that is out of bounds at run time.
  const auto session = make_cpu_backend()->open(
      cpu_request(folder.write("m.onnx", ModelBuilder()
                                             .input("x", {1}, onnx::kInt64)
                                             .output("y", {1})
                                             .weight(tensor<float>("w", onnx::kFloat, {2}, {1, 2}))
                                             .node("Gather", {"w", "x"}, {"y"})
                                             .bytes())));
  ASSERT_TRUE(session.ok()) << session.status().message();
  RunTensors run((*session)->signature());
  run.inputs[0].set<std::int64_t>({7});
  const Status status = (*session)->run(0, run.in, run.out);
  EXPECT_EQ(status.code(), Code::kFailed);
  EXPECT_THAT(status.message(), HasSubstr("ONNX Runtime: "));
  run.inputs[0].set<std::int64_t>({1});
  EXPECT_TRUE((*session)->run(0, run.in, run.out).ok());
}

TEST(CpuBackend, TensorsOfAnotherSizeAreRefused) {
  ScratchFolder folder;
  const auto session =
      make_cpu_backend()->open(cpu_request(folder.write("m.onnx", relu_model({1, 4}).bytes())));
  ASSERT_TRUE(session.ok());
  RunTensors run((*session)->signature());
  run.outputs[0].tensor.bytes -= 4;
  EXPECT_EQ((*session)->run(0, run.in, run.out).code(), Code::kInvalid);
}

TEST(CpuBackend, BatchNeedsAFreeDimension) {
  ScratchFolder folder;
  SessionRequest request = cpu_request(folder.write("m.onnx", relu_model({1, 4}).bytes()));
  request.batch = 4;
  const auto session = make_cpu_backend()->open(request);
  EXPECT_EQ(session.status().code(), Code::kUnavailable);
  EXPECT_THAT(session.status().message(), HasSubstr("batch {max: 4} needs a free first dimension"));
}

TEST(Cores, BigOnesOfAMixedChip) {
  const std::vector<Core> mixed = {{0, 400}, {1, 400}, {2, 1024}, {3, 1024}};
  const std::vector<Core> even = {{0, 0}, {2, 0}};
  using Numbers = std::vector<int>;
  EXPECT_EQ(*choose_cores("auto", mixed), (Numbers{2, 3}));
  EXPECT_EQ(*choose_cores("big", mixed), (Numbers{2, 3}));
  EXPECT_EQ(*choose_cores("all", mixed), (Numbers{0, 1, 2, 3}));
  EXPECT_EQ(*choose_cores("auto", even), (Numbers{0, 2}));
  EXPECT_EQ(*choose_cores("0,2-3", mixed), (Numbers{0, 2, 3}));
  for (const char* wrong : {"", "fast", "7", "0-7", "3-2", "1,,2", "-1"})
    EXPECT_THAT(choose_cores(wrong, mixed).status().message(), HasSubstr("allowed: auto, big, all")) << wrong;
}

std::vector<int> cores_of_this_thread() {
  std::vector<int> out;
  for (const Core& core : read_cores()) out.push_back(core.number);
  return out;
}

TEST(CpuBackend, TheThreadThatRunsIsBoundToTheSessionsCores) {
  ScratchFolder folder;
  const std::string path = folder.write("m.onnx", relu_model().bytes());
  const std::vector<int> all = cores_of_this_thread();
  const auto backend = make_cpu_backend();
  const auto run_with = [&](const std::string& cores) {
    auto session = backend->open(cpu_request(path, {{"cores", {cores}}}));
    ASSERT_TRUE(session.ok()) << session.status().message();
    RunTensors tensors((*session)->signature());
    ASSERT_TRUE((*session)->run(0, tensors.in, tensors.out).ok());
  };
  std::thread([&] {  // a worker of its own: the binding stays with the thread
    run_with(std::to_string(all.back()));
    EXPECT_EQ(cores_of_this_thread(), std::vector<int>{all.back()});
  })
      .join();
  std::thread([&] {
    CoreBinding({all.front()}).enter();
    run_with("all");
    EXPECT_EQ(cores_of_this_thread(), all) << "a session without a choice frees it again";
  }).join();
  EXPECT_EQ(cores_of_this_thread(), all);
}

TEST(Cores, CapacitiesComeFromTheKernel) {
  ScratchFolder folder;
  const int first = read_cores().front().number;
  const std::string cpu = "cpu" + std::to_string(first);
  std::filesystem::create_directories(folder / (cpu + "/cpufreq"));
  folder.write(cpu + "/cpufreq/cpuinfo_max_freq", "1800000\n");
  EXPECT_EQ(read_cores(folder / "").front().capacity, 1800000);
  folder.write(cpu + "/cpu_capacity", "446\n");
  EXPECT_EQ(read_cores(folder / "").front().capacity, 446);
}

TEST(Library, SaysWhatItTried) {
  ScratchFolder folder;
  const std::string text = folder.write("libonnxruntime.so", "no library");
  const auto library = ort::load_library({text, folder / "none.so"});
  EXPECT_EQ(library.status().code(), Code::kUnavailable);
  EXPECT_THAT(library.status().message(), HasSubstr(text));
  EXPECT_THAT(library.status().message(), HasSubstr("none.so"));
  EXPECT_THAT(library.status().message(), HasSubstr("run tools/dev setup, or set SLUICE_ONNXRUNTIME"));
  EXPECT_THAT(ort::load_library({"libm.so.6"}).status().message(),
              HasSubstr("is not ONNX Runtime (no OrtGetApiBase)"));
}

// The engine's texts end up in errors, each of which is a line.
TEST(Library, ItsTextsBecomeOneLine) {
  ort::forget_warnings();
  EXPECT_EQ(ort::explain("no\nkernel\n"), "ONNX Runtime: no kernel");
}

TEST(Library, EnvironmentComesAlone) {
  ::setenv("SLUICE_ONNXRUNTIME", "/some/where.so", 1);
  EXPECT_THAT(ort::library_candidates(), ::testing::ElementsAre("/some/where.so"));
  ::unsetenv("SLUICE_ONNXRUNTIME");
  EXPECT_GE(ort::library_candidates().size(), 3u);
}

TEST(Backends, TheListSaysWhatIsMissing) {
  ::setenv("SLUICE_QNN", "/some/where", 1);
  SteadyClock clock;
  const auto backends = make_backends(clock);
  ASSERT_EQ(backends.size(), 4u);
  EXPECT_EQ(backends[0]->name(), "htp");
  EXPECT_THAT(backends[0]->available().message(),
              HasSubstr("backend 'htp' is not available: QNN's execution provider "
                        "(libonnxruntime_providers_qnn.so) is not in '/some/where'"));
  EXPECT_EQ(backends[1]->open({}).status().code(), Code::kUnavailable);
  EXPECT_TRUE(backends[2]->available().ok());
  EXPECT_TRUE(backends[3]->available().ok());
  for (const auto& backend : backends) EXPECT_FALSE(backend->options().empty()) << backend->name();
  EXPECT_THAT(onnxruntime_version().value(), HasSubstr("libonnxruntime"));
}

}  // namespace
}  // namespace sluice
