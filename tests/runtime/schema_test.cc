#include "runtime/schema.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "runtime/builtin.h"
#include "tests/runtime/json_schema.h"
#include "tests/runtime/registry_fixture.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

class Schema : public ::testing::Test {
 protected:
  Json schema_ = Json::parse(make_schema(testing::registry()));
  const Json& definition(const std::string& name) { return schema_.at("$defs").at(name); }
};

TEST_F(Schema, IsTheSameForTheSameRegistry) {
  EXPECT_EQ(make_schema(testing::registry()), make_schema(testing::registry()));
}

TEST_F(Schema, TopLevelIsClosed) {
  EXPECT_EQ(schema_["$schema"], "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(schema_["type"], "object");
  EXPECT_EQ(schema_["required"], Json::parse(R"(["version", "nodes"])"));
  EXPECT_EQ(schema_["additionalProperties"], false);
  std::vector<std::string> keys;
  for (const auto& [key, value] : schema_["properties"].items()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"version", "name", "models", "nodes", "flow", "selector",
                                            "backends", "device"}));
  EXPECT_EQ(schema_["properties"]["version"],
            Json::parse(R"({"anyOf": [{"const": 1}, {"$ref": "#/$defs/expanded"}]})"));
}

TEST_F(Schema, NodesKnowTheirTypesAndEachTypeItsOptions) {
  const Json& node = definition("node");
  EXPECT_EQ(node["additionalProperties"], false);
  EXPECT_EQ(node["properties"]["type"]["anyOf"][0]["oneOf"][0],
            Json::parse(R"({"const": "camera", "description": "Makes frames."})"));
  EXPECT_EQ(node["allOf"].size(), 3u);
  EXPECT_EQ(node["allOf"][0],
            Json::parse(R"({"if": {"properties": {"type": {"const": "camera"}}, "required": ["type"]},
      "then": {"properties": {"options": {"$ref": "#/$defs/options.camera"}}, "required": ["options"]}})"));
  EXPECT_EQ(node["allOf"][1]["then"]["required"], Json::parse(R"(["inputs"])"));
}

TEST_F(Schema, Options) {
  const Json& camera = definition("options.camera");
  EXPECT_EQ(camera["required"], Json::parse(R"(["uri"])"));
  EXPECT_EQ(camera["additionalProperties"], false);
  EXPECT_EQ(camera["properties"]["uri"],
            Json::parse(R"({"type": "string", "minLength": 1, "description": "What to open."})"));
  EXPECT_EQ(camera["properties"]["timeout_ms"],
            Json::parse(R"({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 60000},
      {"$ref": "#/$defs/expanded"}], "description": "Longest silence. In ms.", "default": 5000})"));
  EXPECT_EQ(camera["properties"]["pace"], Json::parse(R"({"anyOf": [{"enum": ["realtime", "max"]},
      {"type": "number", "exclusiveMinimum": 0}, {"$ref": "#/$defs/expanded"}]})"));
  const Json& filter = definition("options.filter")["properties"];
  EXPECT_EQ(filter["fit"]["anyOf"][0], Json::parse(R"({"enum": ["stretch", "crop"]})"));
  EXPECT_EQ(filter["fit"]["default"], "stretch");
  EXPECT_EQ(filter["batch"]["properties"]["max"]["description"], "Most per run.");
  EXPECT_EQ(filter["batch"]["additionalProperties"], false);
  EXPECT_EQ(filter["steps"]["items"]["properties"].contains("rate_hz"), true);
  EXPECT_EQ(filter["labels"]["anyOf"][1]["items"],
            Json::parse(R"({"anyOf": [{"type": "string"}, {"type": "integer"}]})"));
}

TEST_F(Schema, SectionsComeFromTheirDeclarations) {
  EXPECT_TRUE(schema_["properties"]["backends"]["properties"].contains("htp"));
  EXPECT_TRUE(schema_["properties"]["selector"]["properties"].contains("policy"));
  EXPECT_TRUE(schema_["properties"]["device"]["properties"].contains("telemetry"));
}

TEST_F(Schema, EveryReferenceHasItsDefinition) {
  std::vector<const Json*> open = {&schema_};
  int references = 0;
  while (!open.empty()) {
    const Json* const at = open.back();
    open.pop_back();
    if (at->is_object() && at->contains("$ref")) {
      ++references;
      const std::string name = at->at("$ref").get<std::string>();
      EXPECT_TRUE(schema_["$defs"].contains(name.substr(std::string("#/$defs/").size()))) << name;
    }
    if (at->is_structured()) {
      for (const Json& child : *at) open.push_back(&child);
    }
  }
  EXPECT_GT(references, 20);
}

// What `check` takes, and what it refuses, of the program's own node types.
class SchemaOfTheProgram : public ::testing::Test {
 protected:
  static bool takes(const std::string& type, const std::string& rest) {
    static const testing::JsonSchema schema(Json::parse(make_schema(builtin_registry())));
    return schema.takes(
        Json::parse(R"({"version": 1, "nodes": [{"id": "a", "type": ")" + type + "\", " + rest + "}]}"));
  }
  static bool takes_inputs(const std::string& inputs) { return takes("null_sink", R"("inputs": )" + inputs); }
  static bool takes_options(const std::string& type, const std::string& options) {
    return takes(type, R"("inputs": "b", "options": {)" + options + "}");
  }
};

TEST_F(SchemaOfTheProgram, TakesEveryFormOfInputs) {
  for (const char* const inputs :
       {R"("camera")", R"(["camera", {"from": "boxes", "sync": "latest"}])", R"({"from": "camera"})",
        R"({"from": "camera", "sync": "latest", "max_age_ms": 500})",
        R"({"image": "camera", "boxes": "detect"})",
        R"({"image": {"from": "camera", "capacity": 2, "when_full": "${FULL:-block}"}})",
        R"({"tensors": {"boxes": "face.0", "scores": {"from": "face.1"}}})", R"({"from": "a", "to": "b"})",
        R"({"sync": "camera"})"})
    EXPECT_TRUE(takes_inputs(inputs)) << inputs;
}

TEST_F(SchemaOfTheProgram, TheLongFormIsNeverTakenForAMapOfPorts) {
  for (const char* const inputs :
       {R"({"x": {"from": "c", "sync": "lattest"}})", R"({"x": {"from": "c", "when_full": "drop"}})",
        R"({"x": {"sync": "exact"}})", R"({"x": {"from": "c", "max_age": 5}})",
        R"({"x": {"from": "c", "capacity": 0}})", R"({"from": "c", "sync": "lattest"})",
        R"({"from": "c", "when_full": "drop"})", R"([{"sync": "exact"}])", R"({"x": {}})"})
    EXPECT_FALSE(takes_inputs(inputs)) << inputs;
}

TEST_F(SchemaOfTheProgram, EveryNodeButASourceNeedsAnInput) {
  for (const char* const inputs : {"[]", "{}", "null"}) {
    EXPECT_FALSE(takes_inputs(inputs)) << inputs;
    EXPECT_TRUE(takes("image_source", std::string(R"("options": {"path": "a"}, "inputs": )") + inputs))
        << inputs;
  }
  EXPECT_FALSE(takes("null_sink", R"("options": {})"));
}

TEST_F(SchemaOfTheProgram, KnowsWhatIsCheckedBeyondTheDeclarations) {
  for (const char* const backends : {R"(["gpu", "cpu"])", R"("cpu")", R"(["${FIRST:-gpu}", "cpu"])"})
    EXPECT_TRUE(takes_options("infer", std::string(R"("model": "m", "backends": )") + backends)) << backends;
  for (const char* const backends : {"[]", R"(["cpu", "cpu"])", R"(["npu"])"})
    EXPECT_FALSE(takes_options("infer", std::string(R"("model": "m", "backends": )") + backends)) << backends;
  for (const char* const numbers : {R"("mean": 0, "std": 0.5)", R"("mean": [0, -1, 2], "std": [1, 2, 3])",
                                    R"("mean": "${MEAN}", "std": ["${STD}"])"})
    EXPECT_TRUE(takes_options("preprocess", numbers)) << numbers;
  for (const char* const numbers : {R"("mean": [])", R"("std": [])", R"("std": 0)", R"("std": [1, 1, -1])"})
    EXPECT_FALSE(takes_options("preprocess", numbers)) << numbers;
  EXPECT_TRUE(takes_options("video_source", R"("uri": "${CAMERA:-}")"));
  EXPECT_FALSE(takes_options("video_source", R"("uri": "")"));
  EXPECT_FALSE(takes_options("json_sink", R"("path": "")"));
}

}  // namespace
}  // namespace sluice
