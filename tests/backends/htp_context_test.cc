// Contexts that somebody else compiled, on Qualcomm's own library: raw binaries, and ONNX models around them
// that say nothing of what they were made for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <unordered_map>

#include "backends/backends.h"
#include "backends/htp/compiled_model.h"
#include "backends/htp/context_binary.h"
#include "backends/htp/htp_backend.h"
#include "backends/htp/provider.h"
#include "inference/checked_model.h"
#include "inference/model_formats.h"
#include "inference/sha256.h"
#include "tests/backends/htp_models.h"
#include "tests/backends/log_capture.h"
#include "tests/inference/support.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace sluice::testing;

// The values of the first EPContext node's attribute `ep_cache_context`.
std::string binary_in(const std::string& model) {
  const auto child = [](onnx::Bytes message, std::uint32_t number, const auto& take) {
    onnx::Reader reader(message);
    for (onnx::Field f; reader.next(f);)
      if (f.number == number) take(f.bytes);
  };
  std::string out;
  child(model, onnx::field::kGraph, [&](onnx::Bytes graph) {
    child(graph, onnx::field::kNode, [&](onnx::Bytes node) {
      child(node, onnx::field::kAttribute, [&](onnx::Bytes attribute) {
        if (attribute.find("ep_cache_context") > 32) return;
        child(attribute, 4, [&](onnx::Bytes value) { out = value; });
      });
    });
  });
  return out;
}

// What nobody wrote metadata into.
std::string without_metadata(const std::string& model) {
  onnx::Writer out;
  onnx::Reader reader(model);
  for (onnx::Field f; reader.next(f);)
    if (f.number != 14) out.raw(f.raw);
  return out.take();
}

class HtpContextTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!htp::kSimulator) GTEST_SKIP() << "Qualcomm's simulator is an x86-64 library";
    register_model_formats();
    HtpSetup setup;
    setup.clock = &clock_;
    setup.cache = std::make_shared<ArtifactCache>("");
    backend_ = make_htp_backend(std::move(setup));
    floats_ = scratch_.write("floats.onnx", npu_model().bytes());
    const auto model = check_model(request_for(floats_)).value();
    const std::string bytes(model->file->bytes());
    integers_ =
        scratch_.write("integers.onnx", onnx::strip_quantised_edges(bytes, model->header, model->edges));
  }
  void TearDown() override { set_binary_wrapper(nullptr); }

  static SessionRequest request(const std::string& path, const std::string& soc = "auto") {
    SessionRequest out;
    out.model = request_for(path);
    out.backend = "htp";
    out.options = {{"soc", {soc}}};
    out.on_fallback = "error";
    return out;
  }
  // Compiled for a chip: an ONNX model around its context.
  std::string compiled(const std::string& model, const std::string& soc = "sm8550") {
    const auto bytes = backend_->compile(request(model, soc));
    EXPECT_TRUE(bytes.ok()) << bytes.status().message();
    return bytes.ok() ? *bytes : std::string();
  }
  std::string write_binary(const std::string& model, const std::string& soc = "sm8550") {
    const std::string binary = binary_in(compiled(model, soc));
    EXPECT_GT(binary.size(), 1000u);
    return scratch_.write("context.bin", binary);
  }
  // One binary of several graphs, as exporters write it where graphs share their weights.
  std::string write_binary_of(const std::vector<std::string>& models) {
    const auto provider = htp::Provider::get().value();
    std::vector<Ort::Session> sessions;  // the last one writes the binary of all
    for (std::size_t i = 0; i < models.size(); ++i) {
      Ort::SessionOptions options;
      options.AddConfigEntry("ep.context_enable", "1");
      options.AddConfigEntry("ep.context_embed_mode", "0");
      const std::string file = scratch_ / ("shared" + std::to_string(i) + ".onnx");
      options.AddConfigEntry("ep.context_file_path", file.c_str());
      options.AddConfigEntry("ep.share_ep_contexts", "1");
      if (i + 1 == models.size()) options.AddConfigEntry("ep.stop_share_ep_contexts", "1");
      options.AppendExecutionProvider_V2(
          provider->runtime()->env(), {provider->device()},
          std::unordered_map<std::string, std::string>{
              {"backend_type", "htp"}, {"soc_model", "43"}, {"htp_arch", "73"}});
      sessions.emplace_back(provider->runtime()->env(), models[i].c_str(), options);
    }
    std::filesystem::path largest;
    for (const auto& file : std::filesystem::directory_iterator(scratch_ / ""))
      if (file.path().extension() == ".bin" &&
          (largest.empty() || file.file_size() > std::filesystem::file_size(largest)))
        largest = file.path();
    return largest;
  }
  std::unique_ptr<Session> must_open(const SessionRequest& wanted) {
    auto session = backend_->open(wanted);
    EXPECT_TRUE(session.ok()) << session.status().message();
    return session.ok() ? std::move(*session) : nullptr;
  }
  std::string why_not(const SessionRequest& wanted, Code code = Code::kUnavailable) {
    const auto session = backend_->open(wanted);
    EXPECT_EQ(session.status().code(), code) << session.status().message();
    return session.status().message();
  }
  // Of the same picture, in floats or in integers; the result as floats.
  static std::vector<float> result_of(Session& session) {
    RunTensors tensors(session.signature());
    std::vector<float> values(144);
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = std::nearbyint(std::sin(static_cast<float>(i) * 0.37f) * 24576) / 16384;
    const bool integers = session.signature().inputs[0].dtype == DType::kUint16;
    if (integers) {
      std::vector<std::uint16_t> quantised;
      quantised.reserve(values.size());
      for (const float v : values)
        quantised.push_back(static_cast<std::uint16_t>(std::lround(v * 16384) + 32768));
      tensors.inputs[0].set(quantised);
    } else {
      tensors.inputs[0].set(values);
    }
    const Status status = session.run(0, tensors.in, tensors.out);
    EXPECT_TRUE(status.ok()) << status.message();
    if (!integers) return tensors.outputs[0].values<float>();
    std::vector<float> out;
    for (const std::uint16_t q : tensors.outputs[0].values<std::uint16_t>())
      out.push_back(static_cast<float>(q - 32768) / 8192);
    return out;
  }

  std::vector<float> result_with_float_edges() {
    SessionRequest wanted = request(floats_, "sm8550");
    wanted.keep_float = {"x", "y"};
    return result_of(*must_open(wanted));
  }

  SteadyClock clock_;
  ScratchFolder scratch_;
  std::unique_ptr<Backend> backend_;
  std::string floats_, integers_;  // the same model, with and without its edges
  LogCapture log_;
};

TEST_F(HtpContextTest, ARawBinaryRunsAsTheModelItWasMadeFrom) {
  const auto expected = result_of(*must_open(request(floats_, "sm8550")));
  const auto session = must_open(request(write_binary(integers_)));
  ASSERT_NE(session, nullptr);
  const TensorType& input = session->signature().inputs.at(0);
  EXPECT_EQ(input.name, "x");
  EXPECT_EQ(input.dtype, DType::kUint16);
  EXPECT_EQ(input.shape, (Shape{1, 4, 6, 6}));
  ASSERT_TRUE(input.quant);
  EXPECT_EQ(*input.quant, (QuantParams{{1.0f / 16384}, {32768}, -1}));
  EXPECT_EQ(*session->signature().outputs.at(0).quant, (QuantParams{{1.0f / 8192}, {32768}, -1}));
  EXPECT_EQ(session->placement().on_backend, session->placement().total);
  EXPECT_EQ(result_of(*session), expected);
  EXPECT_THAT(log_.warnings(), IsEmpty());
}

TEST_F(HtpContextTest, ABinaryWithFloatEdgesKeepsThem) {
  const auto session = must_open(request(write_binary(floats_)));
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(session->signature().inputs[0].dtype, DType::kFloat32);
  EXPECT_EQ(result_of(*session), result_with_float_edges());
}

TEST_F(HtpContextTest, TheSimulatorIsTheChipThatItWasMadeFor) {
  const auto expected = result_of(*must_open(request(integers_, "qcs6490")));
  EXPECT_EQ(result_of(*must_open(request(write_binary(integers_, "qcs6490")))), expected);
}

TEST_F(HtpContextTest, AnotherChipIsRefusedBeforeItIsLoaded) {
  EXPECT_THAT(why_not(request(write_binary(integers_), "qcs6490")),
              AllOf(HasSubstr("context.bin"), HasSubstr("was compiled for SoC 43 (sm8550), v73"),
                    HasSubstr("this is SoC 35 (qcs6490), v68")));
}

// The binary itself names the release that made it.
TEST_F(HtpContextTest, ANewerReleaseIsRefusedBeforeItIsLoaded) {
  std::string binary = binary_in(compiled(integers_));
  int changed = 0;
  for (std::size_t at = binary.find("v2."); at != std::string::npos; at = binary.find("v2.", at + 1)) {
    binary[at + 1] = '9';
    ++changed;
  }
  ASSERT_GT(changed, 0);
  EXPECT_THAT(
      why_not(request(scratch_.write("newer.bin", binary))),
      AllOf(HasSubstr("newer.bin"), HasSubstr("was compiled by QAIRT 9."), HasSubstr("compile it again")));
}

TEST_F(HtpContextTest, ItsHashIsTheFilesOwn) {
  const std::string path = write_binary(integers_);
  SessionRequest wanted = request(path);
  wanted.model.sha256 = sha256_hex(ModelFile::open(path).value()->bytes());
  EXPECT_NE(must_open(wanted), nullptr);
  wanted.model.sha256[0] = wanted.model.sha256[0] == '0' ? '1' : '0';
  EXPECT_THAT(why_not(wanted), HasSubstr("the pipeline file wants"));
}

TEST_F(HtpContextTest, WhatIsNoBinaryIsRefused) {
  EXPECT_THAT(why_not(request(scratch_.write("noise.bin", std::string(5000, 'x')))),
              AllOf(HasSubstr("noise.bin"), HasSubstr("is no context binary")));
  const std::string binary = binary_in(compiled(integers_));
  EXPECT_THAT(why_not(request(scratch_.write("cut.bin", binary.substr(0, binary.size() / 3)))),
              HasSubstr("cut.bin"));
  set_binary_wrapper(nullptr);
  EXPECT_THAT(why_not(request(scratch_.write("other.bin", binary))), HasSubstr("no backend of this program"));
}

TEST_F(HtpContextTest, ABinaryOfSeveralGraphsIsRefusedWithTheirNames) {
  const std::string binary = write_binary_of({integers_, floats_});
  ASSERT_FALSE(binary.empty());
  const std::string why = why_not(request(binary));
  EXPECT_THAT(
      why, ::testing::ContainsRegex("has 2 graphs \\('[^']+', '[^']+'\\), a model is exactly one; export"));
}

TEST_F(HtpContextTest, IntegersAreNotTakenForFloats) {
  SessionRequest wanted = request(write_binary(integers_));
  wanted.keep_float = {"x"};
  EXPECT_THAT(why_not(wanted, Code::kInvalid), HasSubstr("input 'x' of a context binary takes integers"));
  wanted.keep_float = {"y"};
  EXPECT_THAT(why_not(wanted, Code::kInvalid), HasSubstr("output 'y' of a context binary gives integers"));
}

// As AI Hub exports them: ONNX around a context, without the provider's metadata.
TEST_F(HtpContextTest, AModelWithoutMetadataIsAskedThroughItsBinary) {
  const std::string bare = without_metadata(compiled(floats_));
  ASSERT_EQ(htp::read_compiled_for(bare).soc, 0);
  const std::string path = scratch_.write("bare.onnx", bare);
  const auto session = must_open(request(path));
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(result_of(*session), result_with_float_edges());
  EXPECT_THAT(why_not(request(path, "qcs6490")), HasSubstr("was compiled for SoC 43 (sm8550), v73"));
}

// The same with the binary in a file of its own.
TEST_F(HtpContextTest, ABinaryBesideItsModelIsAskedToo) {
  const auto model = [this](const std::string& file) {
    const auto text = [](const std::string& name, const std::string& value) {
      return onnx::Writer().bytes(1, name).bytes(4, value).varint(20, 3).take();
    };
    ModelBuilder builder;
    builder.input("x", {1, 4, 6, 6}, onnx::kUint16).output("y", {1, 4, 6, 6}, onnx::kUint16);
    builder.node("EPContext", {"x"}, {"y"},
                 {int_attribute("main_context", 1), int_attribute("embed_mode", 0),
                  text("ep_cache_context", file), text("source", "QNNExecutionProvider")});
    return scratch_.write("beside.onnx", builder.bytes());
  };
  write_binary(integers_);
  EXPECT_THAT(why_not(request(model("context.bin"), "qcs6490")), HasSubstr("was compiled for SoC 43"));
  EXPECT_THAT(why_not(request(model("missing.bin"))), HasSubstr("missing.bin"));
  EXPECT_THAT(why_not(request(model("../context.bin"))), HasSubstr("lies outside the model's folder"));
  EXPECT_THAT(why_not(request(model("/etc/passwd"))), HasSubstr("lies outside the model's folder"));
}

}  // namespace
}  // namespace sluice
