// Models checked before loading: every refusal with its message.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <random>

#include "inference/checked_model.h"
#include "inference/sha256.h"
#include "inference/sha256_blocks.h"
#include "tests/inference/support.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using namespace sluice::testing;

class BadModel : public ::testing::Test {
 protected:
  // The message of the refusal; its code must be that of exit 3.
  std::string refusal(const ModelRequest& request) {
    const auto signature = read_signature(request);
    EXPECT_FALSE(signature.ok());
    EXPECT_EQ(signature.status().code(), Code::kUnavailable);
    return signature.status().message();
  }
  std::string refusal(const std::string& name, const std::string& bytes) {
    return refusal(request_for(folder_.write(name, bytes)));
  }
  ScratchFolder folder_;
};

TEST(Sha256, AnswersOfTheStandard) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// Where the processor has instructions for it, they give what the portable code gives.
TEST(Sha256, OnePerInstructionSetAndTheSame) {
  std::mt19937 random(3);
  std::string data(64 * 40, '\0');
  for (char& byte : data) byte = static_cast<char>(random());
  for (std::size_t blocks = 0; blocks <= 40; ++blocks) {
    Sha256State fast{}, portable{};
    for (std::size_t i = 0; i < fast.size(); ++i)
      fast[i] = portable[i] = static_cast<std::uint32_t>(random());
    sha256_add_blocks(fast, data.data(), blocks);
    sha256_add_blocks_portable(portable, data.data(), blocks);
    EXPECT_EQ(fast, portable) << blocks;
  }
}

TEST_F(BadModel, Missing) {
  EXPECT_THAT(refusal(request_for(folder_ / "no.onnx")), HasSubstr("no.onnx'; check 'path'"));
}
TEST_F(BadModel, Folder) {
  EXPECT_THAT(refusal(request_for(folder_ / "")), HasSubstr("is a folder, not a model file"));
}
TEST_F(BadModel, Fifo) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe.onnx").c_str(), 0600), 0);
  EXPECT_THAT(refusal(request_for(folder_ / "pipe.onnx")), HasSubstr("is not a regular file"));
}
TEST_F(BadModel, AnEmptyFileOfAnotherFormatGetsThatFormatsAdvice) {
  EXPECT_THAT(refusal("e.tflite", ""), HasSubstr("python -m tf2onnx.convert --tflite"));
  EXPECT_THAT(refusal("e.dlc", ""), HasSubstr("export the original network as ONNX"));
}

TEST_F(BadModel, Empty) { EXPECT_THAT(refusal("e.onnx", ""), HasSubstr("e.onnx' is empty; copy or export")); }
TEST_F(BadModel, TooLarge) {
  const std::string path = folder_.write("large.onnx", "x");
  ASSERT_EQ(::truncate(path.c_str(), (off_t{1} << 31)), 0);  // sparse
  EXPECT_THAT(refusal(request_for(path)),
              HasSubstr("2.00 GiB, an ONNX file ends at 2 GiB; save the weights as external data"));
}
TEST_F(BadModel, NotOnnx) {
  EXPECT_THAT(refusal("a.onnx", "<html>Not found</html>"), HasSubstr("is not an ONNX model; export one"));
  EXPECT_THAT(refusal("b.onnx", std::string(100, '\0')), HasSubstr("is not an ONNX model"));
  EXPECT_THAT(refusal("c.onnx", "version https://git-lfs.github.com/spec/v1\n"),
              HasSubstr("run git lfs pull"));
  EXPECT_THAT(refusal("d.onnx", onnx::Writer().varint(1, 8).take()), HasSubstr("without a graph"));
}
TEST_F(BadModel, TruncatedAnywhereIsRefused) {
  const std::string whole = relu_model().bytes();
  EXPECT_THAT(refusal("cut.onnx", whole.substr(0, whole.size() - 3)),
              HasSubstr("is cut short: its last part says"));
  for (std::size_t length = 1; length < whole.size(); ++length) {
    const auto header = onnx::read_header(std::string_view(whole).substr(0, length), "m");
    EXPECT_FALSE(header.ok()) << length;
  }
}
TEST_F(BadModel, EveryByteFlippedNeverReadsOutside) {
  const std::string whole = qdq_model().bytes();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int bit : {1, 0x40, 0x80, 0xff}) {
      std::string broken = whole;
      broken[at] = static_cast<char>(broken[at] ^ bit);
      const auto header = onnx::read_header(broken, "m");
      if (header.ok()) {
        const auto edges = onnx::find_quantised_edges(*header);
        (void)onnx::strip_quantised_edges(broken, *header, edges);
      }
    }
  }
}
TEST_F(BadModel, AMessageIsOneLineWhateverTheFileIsCalled) {
  EXPECT_EQ(refusal("two\nlines.onnx", "").find('\n'), std::string::npos);
}
TEST_F(BadModel, OtherFormatsGetAdvice) {
  EXPECT_THAT(refusal("m.tflite", "anything"), HasSubstr("python -m tf2onnx.convert --tflite"));
  EXPECT_THAT(refusal("m.onnx", std::string("\x1c\0\0\0TFL3....", 12)),
              HasSubstr("is a TensorFlow Lite model"));
  EXPECT_THAT(refusal("m.dlc", "PK"),
              HasSubstr("is a DLC of Qualcomm's SNPE, which cannot be converted back"));
}
TEST_F(BadModel, Opset) {
  EXPECT_THAT(
      refusal("o.onnx", relu_model().opset(27).bytes()),
      HasSubstr("needs ONNX opset 27, 7 to 26 are supported; export it with opset_version=26 or lower"));
  EXPECT_THAT(refusal("p.onnx", relu_model().opset(6).bytes()),
              HasSubstr("raise it with onnx.version_converter"));
  EXPECT_THAT(refusal("q.onnx", relu_model().ir(14).bytes()),
              HasSubstr("IR version 14, at most 13 is supported"));
}
TEST_F(BadModel, OtherHash) {
  ModelRequest request = request_for(folder_.write("h.onnx", relu_model().bytes()));
  request.sha256 = std::string(64, '0');
  EXPECT_THAT(refusal(request), HasSubstr("has sha256 " + sha256_hex(relu_model().bytes()) +
                                          ", the pipeline file wants " + request.sha256));
  request.sha256 = sha256_hex(relu_model().bytes());
  EXPECT_TRUE(read_signature(request).ok());
}
TEST_F(BadModel, MessagesNameModelAndVariant) {
  ModelRequest request = request_for(folder_ / "no.onnx");
  request.variant = "w8";
  EXPECT_THAT(refusal(request), HasSubstr("model 'm', variant 'w8': "));
}
TEST_F(BadModel, TypesThatDoNotTravel) {
  EXPECT_THAT(
      refusal(
          "s.onnx",
          ModelBuilder().input("x", {1}, onnx::kString).output("y", {1}).node("Foo", {"x"}, {"y"}).bytes()),
      HasSubstr("input 'x' is no tensor of float32"));
  EXPECT_THAT(refusal("z.onnx", relu_model({1, 0}).bytes()), HasSubstr("has a dimension of size 0"));
  EXPECT_THAT(refusal("r.onnx", relu_model({1, 1, 1, 1, 1, 1, 1, 1, 1}).bytes()), HasSubstr("model 'm'"));
  EXPECT_THAT(refusal("l.onnx", relu_model({1 << 30, 1 << 30}).bytes()), HasSubstr("input 'x': "));
}

TEST(Signature, RewrittenFileIsReadAgain) {
  ScratchFolder folder;
  const std::string path = folder.write("m.onnx", relu_model({1, 4}).bytes());
  EXPECT_EQ(read_signature(request_for(path))->inputs[0].shape, (Shape{1, 4}));
  folder.write("m.onnx", relu_model({1, 5, 5}).bytes());
  EXPECT_EQ(read_signature(request_for(path))->inputs[0].shape, (Shape{1, 5, 5}));
}

class Dimensions : public ::testing::Test {
 protected:
  Result<ModelSignature> read(const Dims& in, const Dims& out,
                              std::vector<std::pair<std::string, std::int64_t>> dims = {}) {
    ModelRequest request = request_for(
        folder_.write("m" + std::to_string(count_++) + ".onnx",
                      ModelBuilder().input("x:0", in).output("y", out).node("Foo", {"x:0"}, {"y"}).bytes()));
    request.dims = std::move(dims);
    return read_signature(request);
  }
  ScratchFolder folder_;
  int count_ = 0;
};

TEST_F(Dimensions, FreeBatchIsOneAndSaidSo) {
  const auto signature = read({"N", 3, 8, 8}, {"N", 10});
  ASSERT_TRUE(signature.ok()) << signature.status().message();
  EXPECT_TRUE(signature->symbolic_batch);
  EXPECT_EQ(signature->inputs[0].shape, (Shape{1, 3, 8, 8}));
  EXPECT_EQ(signature->inputs[0].layout, Layout::kNchw);
  EXPECT_EQ(signature->outputs[0].shape, (Shape{1, 10}));
  EXPECT_TRUE(read({"", 8, 8, 3}, {"unk__7", 10})->symbolic_batch);
  EXPECT_EQ(read({"", 8, 8, 3}, {"unk__7", 10})->inputs[0].layout, Layout::kNhwc);
}
TEST_F(Dimensions, FixedByNameOrPlace) {
  auto signature = read({"N", 3, "h", ""}, {"N", 10}, {{"N", 2}, {"h", 16}, {"x:0.3", 24}});
  ASSERT_TRUE(signature.ok()) << signature.status().message();
  EXPECT_EQ(signature->inputs[0].shape, (Shape{2, 3, 16, 24}));
  EXPECT_FALSE(signature->symbolic_batch);
}
TEST_F(Dimensions, APlaceFixesItsNameEverywhere) {
  auto signature = read({"N", 3, "h", "w"}, {"N", "w", "h"}, {{"x:0.2", 16}, {"x:0.3", 24}, {"w", 24}});
  ASSERT_TRUE(signature.ok()) << signature.status().message();
  EXPECT_EQ(signature->inputs[0].shape, (Shape{1, 3, 16, 24}));
  EXPECT_EQ(signature->outputs[0].shape, (Shape{1, 24, 16}));
  EXPECT_TRUE(signature->symbolic_batch);
  signature = read({"N", "w"}, {"N", "w"}, {{"y.0", 2}, {"y.1", 7}});
  ASSERT_TRUE(signature.ok()) << signature.status().message();
  EXPECT_EQ(signature->inputs[0].shape, (Shape{2, 7}));
  EXPECT_THAT(read({"N", "w"}, {"N", "w"}, {{"w", 24}, {"y.1", 25}}).status().message(),
              HasSubstr("dims gives 'w' two sizes, 24 and 25 ('y.1' is 'w')"));
}
TEST_F(Dimensions, UnfixedSaysWhatToWrite) {
  EXPECT_THAT(read({1, 3, "h", 8}, {1, 10}).status().message(),
              HasSubstr("input 'x:0' has the symbolic dimension 'h', which must be fixed; write dims: {h: "
                        "SIZE} under the model"));
  EXPECT_THAT(read({1, 3, "", 8}, {1, 10}).status().message(), HasSubstr("write dims: {x:0.2: SIZE}"));
  EXPECT_THAT(read({"N", 3}, {"found", 4}).status().message(),
              HasSubstr("output 'y' has the symbolic dimension 'found'"));
}
// onnx.shape_inference names what it cannot say of an output unk__N.
TEST_F(Dimensions, OpenOnesOfOutputsFollowFromTheOperators) {
  const auto after = [&](const std::string& type, const Dims& out, const std::vector<std::string>& attributes,
                         std::vector<std::pair<std::string, std::int64_t>> dims) {
    ModelRequest request = request_for(
        folder_.write("f" + std::to_string(count_++) + ".onnx", ModelBuilder()
                                                                    .input("x", {"N", 3, "H", "W"})
                                                                    .output("y", out)
                                                                    .node(type, {"x"}, {"y"}, attributes)
                                                                    .bytes()));
    request.dims = std::move(dims);
    return read_signature(request);
  };
  auto signature =
      after("Flatten", {"unk__0", "W"}, {int_attribute("axis", 3)}, {{"N", 1}, {"H", 8}, {"W", 10}});
  ASSERT_TRUE(signature.ok()) << signature.status().message();
  EXPECT_EQ(signature->outputs[0].shape, (Shape{24, 10}));
  EXPECT_FALSE(signature->symbolic_batch);
  signature = after("Relu", {"unk__0", 3, "unk__1", ""}, {}, {{"H", 8}, {"x.3", 10}});
  ASSERT_TRUE(signature.ok()) << signature.status().message();
  EXPECT_EQ(signature->outputs[0].shape, (Shape{1, 3, 8, 10}));
  EXPECT_TRUE(signature->symbolic_batch);
  signature = after("Relu", {"unk__0", 3, "unk__1", ""}, {}, {{"N", 4}, {"H", 8}, {"W", 10}});
  ASSERT_TRUE(signature.ok()) << signature.status().message();
  EXPECT_EQ(signature->outputs[0].shape, (Shape{4, 3, 8, 10}));
  // Of an operator that nobody knows, only a batch of one is taken for one.
  EXPECT_EQ(after("Foo", {"unk__0", 7}, {}, {{"N", 1}, {"H", 8}, {"W", 10}})->outputs[0].shape,
            (Shape{1, 7}));
  EXPECT_THAT(after("Foo", {"unk__0", 7}, {}, {{"N", 4}, {"H", 8}, {"W", 10}}).status().message(),
              HasSubstr("output 'y' has the symbolic dimension 'unk__0', which must be fixed"));
}
TEST_F(Dimensions, WrongKeys) {
  EXPECT_THAT(read({"N", 3}, {"N", 3}, {{"M", 1}}).status().message(),
              HasSubstr("dims names 'M', the model's symbolic dimensions are: N"));
  EXPECT_THAT(read({1, 3}, {1, 3}, {{"x:0.1", 4}}).status().message(),
              HasSubstr("is 3 in the file, dims says 4"));
}
TEST_F(Dimensions, InputsWithWeightsAreNoInputs) {
  const std::string path =
      folder_.write("w.onnx", ModelBuilder()
                                  .input("x", {1, 2})
                                  .input("w", {1, 2})
                                  .output("y", {1, 2})
                                  .weight(tensor<float>("w", onnx::kFloat, {1, 2}, {1, 2}))
                                  .node("Add", {"x", "w"}, {"y"})
                                  .bytes());
  ASSERT_EQ(read_signature(request_for(path))->inputs.size(), 1u);
}

class ExternalData : public ::testing::Test {
 protected:
  std::string check(const std::string& location, const std::string& length = "",
                    const std::string& offset = "") {
    const std::string path = folder_.write("m" + std::to_string(count_++) + ".onnx",
                                           ModelBuilder()
                                               .input("x", {1, 2})
                                               .output("y", {1, 2})
                                               .weight(external_tensor("w", {1, 2}, location, length, offset))
                                               .node("Add", {"x", "w"}, {"y"})
                                               .bytes());
    const auto model = check_model(request_for(path));
    return model.ok() ? "" : model.status().message();
  }
  ScratchFolder folder_;
  int count_ = 0;
};

TEST_F(ExternalData, InsideTheFolderIsGood) {
  folder_.write("w.bin", "12345678");
  EXPECT_EQ(check("w.bin"), "");
  EXPECT_EQ(check("./w.bin", "8"), "");
}
TEST_F(ExternalData, EscapesAreRefused) {
  ScratchFolder elsewhere;
  const std::string secret = elsewhere.write("w.bin", "12345678");
  EXPECT_THAT(check("../w.bin"),
              HasSubstr("the weights of 'w' lie in '../w.bin', which leaves the model's folder with '..'; "
                        "external data must stay inside the model's folder"));
  EXPECT_THAT(check("sub/../../w.bin"),
              HasSubstr("missing"));  // stops at the first component that is not there
  EXPECT_THAT(check(secret), HasSubstr("an absolute path"));
  ASSERT_EQ(::symlink(secret.c_str(), (folder_ / "link.bin").c_str()), 0);
  EXPECT_THAT(check("link.bin"), HasSubstr("passes through a symbolic link"));
  ASSERT_EQ(::symlink((elsewhere / "").c_str(), (folder_ / "dir").c_str()), 0);
  EXPECT_THAT(check("dir/w.bin"), HasSubstr("passes through a symbolic link"));
  ASSERT_EQ(::link(secret.c_str(), (folder_ / "hard.bin").c_str()), 0);
  EXPECT_THAT(check("hard.bin"), HasSubstr("is a hard link to a file that lies elsewhere too"));
  EXPECT_THAT(check(std::string("w\0.bin", 6)), HasSubstr("NUL"));
  EXPECT_THAT(check(""), HasSubstr("names no file"));
}
TEST_F(ExternalData, MissingOrShort) {
  EXPECT_THAT(check("no.bin"), HasSubstr("which is missing; copy it next to the model"));
  folder_.write("w.bin", "1234");
  EXPECT_THAT(check("w.bin", "8"), HasSubstr("has 4 bytes where the model wants 8 from 0"));
}
// Providers read what the tensor's type and dimensions say, wherever the file ends.
TEST_F(ExternalData, AnotherSizeThanTheTensors) {
  folder_.write("w.bin", "12345678");
  EXPECT_THAT(check("w.bin", "7"),
              HasSubstr("the weights of 'w' lie in 'w.bin', of which the model gives it 7 "
                        "bytes, 8 by its type and dimensions"));
  EXPECT_THAT(check("w.bin", "12"), HasSubstr("gives it 12 bytes, 8 by"));
  EXPECT_THAT(check("w.bin", "", "1"), HasSubstr("has 8 bytes where the model wants 8 from 1"));
  folder_.write("short.bin", "1234567");
  EXPECT_THAT(check("short.bin"), HasSubstr("has 7 bytes where the model wants 8 from 0"));
  folder_.write("long.bin", "123456789012");
  EXPECT_EQ(check("long.bin"), "");
  EXPECT_EQ(check("long.bin", "", "4"), "");
}
TEST_F(ExternalData, NoNumbers) {
  folder_.write("w.bin", "12345678");
  EXPECT_THAT(check("w.bin", "8", "abc"), HasSubstr("with offset 'abc', a number of bytes is allowed"));
  EXPECT_THAT(check("w.bin", "8", "-4"), HasSubstr("with offset '-4'"));
  EXPECT_THAT(check("w.bin", "8 bytes"), HasSubstr("with length '8 bytes'"));
}
TEST_F(ExternalData, InSubgraphsAndAttributesToo) {
  const std::string escaping = external_tensor("deep", {1}, "../w.bin");
  const std::string inner = onnx::Writer().bytes(pb::kInitializer, escaping).take();
  const std::string graph_attribute =
      onnx::Writer().bytes(pb::kAttributeName, "body").bytes(pb::kAttributeGraph, inner).take();
  const std::string tensor_attribute =
      onnx::Writer().bytes(pb::kAttributeName, "value").bytes(pb::kAttributeTensor, escaping).take();
  for (const std::string& attribute : {graph_attribute, tensor_attribute}) {
    const std::string path = folder_.write(
        "a" + std::to_string(count_++) + ".onnx",
        ModelBuilder().input("x", {1}).output("y", {1}).node("Foo", {"x"}, {"y"}, {attribute}).bytes());
    EXPECT_THAT(check_model(request_for(path)).status().message(),
                HasSubstr("the weights of 'deep' lie in '../w.bin'"));
  }
}

}  // namespace
}  // namespace sluice
