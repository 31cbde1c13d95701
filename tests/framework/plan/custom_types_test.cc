// Node types of an application that are wrong in themselves: an error of the file at the place of the node,
// whatever their functions return or throw.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>

#include "tests/framework/plan/plan_testing.h"

namespace sluice::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The shared types, and "mine" after `describe`: it takes a frame; what it makes goes to a sink.
class OwnType {
 public:
  explicit OwnType(const std::function<void(NodeDeclaration&)>& describe) : types_(registry()) {
    NodeDeclaration d;
    d.type = "mine";
    d.input("frame", PortKind::kFrame);
    describe(d);
    EXPECT_TRUE(types_.add(std::move(d)).ok());
  }
  PlanResult plan(const std::string& options = "") const { return plan_of(text(options), inputs()); }
  std::vector<std::string> issues(const std::string& options = "") const {
    return issues_of(text(options), inputs());
  }

 private:
  static std::string text(const std::string& options) {
    return "nodes:\n- {id: cam, type: source}\n- {id: own, type: mine, inputs: cam, options: {" + options +
           "}}\n- {id: out, type: void, inputs: own}\n";
  }
  PlanInputs inputs() const {
    PlanInputs inputs = plan_inputs();
    inputs.registry = &types_;
    return inputs;
  }

  Registry types_;
};

PortType tensor(Shape shape) {
  PortType out;
  out.kind = PortKind::kTensor;
  auto type = std::make_shared<TensorType>();
  type->shape = shape;
  out.tensor = std::move(type);
  return out;
}

// One tensor port whose types come from `infer`.
OwnType inferring(InferTypes infer) {
  return OwnType([&](NodeDeclaration& d) {
    d.output("numbers", PortKind::kTensor);
    d.infer_types = std::move(infer);
  });
}

std::vector<std::string> issues_of_types(std::vector<PortType> types) {
  return inferring([&](const TypeContext&) { return Result<std::vector<PortType>>(types); }).issues();
}

TEST(CustomTypes, TypesMustFitWhatIsDeclared) {
  PortType frame;
  frame.kind = PortKind::kFrame;
  EXPECT_THAT(issues_of_types({tensor({1, 2})}), ElementsAre());
  EXPECT_THAT(issues_of_types({}),
              ElementsAre("4:8: node 'own': infer_types() gives 0 outputs, but its type declares 1"));
  EXPECT_THAT(issues_of_types({tensor({1, 2}), tensor({1, 2})}),
              ElementsAre("4:8: node 'own': infer_types() gives 2 outputs, but its type declares 1"));
  EXPECT_THAT(issues_of_types({tensor({0, 2})}),
              ElementsAre("4:8: node 'own': output 'numbers' is float32 0x2, which has no elements; allowed: "
                          "dimensions of at least 1"));
  EXPECT_THAT(issues_of_types({frame}),
              ElementsAre("4:8: node 'own': output 'numbers' is declared as tensor, but infer_types() makes "
                          "it frame"));
}

TEST(CustomTypes, WhatTheyThrowIsAnErrorAtTheNode) {
  const OwnType types = inferring([](const TypeContext&) -> Result<std::vector<PortType>> {
    throw std::runtime_error("no types today");
  });
  EXPECT_THAT(types.issues(),
              ElementsAre("4:8: node 'own': infer_types(): threw an exception: no types today"));
  EXPECT_EQ(types.plan().issues[0].code, Code::kInvalid);
  const OwnType checks([](NodeDeclaration& d) {
    d.output("out", PortKind::kDetections);
    d.check_options = [](const Options&, const RefuseOption&) { throw std::runtime_error("no check"); };
    d.choose_thread = [](const Options&) -> ThreadKind { throw std::runtime_error("no thread"); };
  });
  EXPECT_THAT(checks.issues(), ElementsAre("4:8: node 'own': choose_thread(): threw an exception: no thread",
                                           "4:8: node 'own': check_options(): threw an exception: no check"));
  const OwnType fails = inferring(
      [](const TypeContext&) -> Result<std::vector<PortType>> { return failed("they do not fit"); });
  EXPECT_EQ(fails.plan().issues[0].code, Code::kInvalid) << "the file is wrong, whatever the type calls it";
}

// Refuses 'bad' and throws for 'boom'.
OwnType picky() {
  return OwnType([](NodeDeclaration& d) {
    d.output("out", PortKind::kDetections);
    d.option("text", "fine").can_change();
    d.check_options = [](const Options& options, const RefuseOption& refuse) {
      if (options.text("text") == "bad") refuse("text", invalid("option 'text' is 'bad', allowed: others"));
      if (options.text("text") == "boom") throw std::runtime_error("boom");
    };
  });
}

TEST(CustomTypes, SetOptionAsksTheTypesOwnCheck) {
  const PlanResult result = picky().plan();
  const NodePlan& own = node(result, "own");
  EXPECT_EQ((*set_option(own, "text", "good"))->text("text"), "good");
  EXPECT_EQ(set_option(own, "text", "bad").status().message(),
            "node 'own': option 'text' is 'bad', allowed: others");
  EXPECT_EQ(set_option(own, "text", "boom").status().message(),
            "node 'own': check_options(): threw an exception: boom");
  EXPECT_EQ(set_option(own, "text", "boom").status().code(), Code::kInvalid);
}

// A map with one key that it must have, and one with a default.
OwnType mapped() {
  return OwnType([](NodeDeclaration& d) {
    d.output("out", PortKind::kDetections);
    OptionDeclaration size, name;
    size.name = "size";
    size.kind = OptionKind::kInteger;
    size.fallback = OptionValue{std::int64_t{4}};
    name.name = "name";
    d.option("map", OptionKind::kMap).can_change().child(size).child(name.must());
  });
}

TEST(CustomTypes, AMapMayBeLeftOutWhateverItsKeys) {
  const PlanResult without = mapped().plan();
  ASSERT_TRUE(without.plan);
  EXPECT_FALSE(node(without, "own").options->has("map"));
  EXPECT_THAT(mapped().issues("map: {size: 5}"),
              ElementsAre(HasSubstr("node 'own': option 'map.name' is missing")));
  const PlanResult with = mapped().plan("map: {name: x}");
  EXPECT_EQ(node(with, "own").options->map("map").at("size"), OptionValue{std::int64_t{4}});
  EXPECT_EQ(set_option(node(without, "own"), "map.size", "5").status().message(),
            "node 'own': option 'map.name' is missing");
  const auto given = set_option(node(without, "own"), "map", "{name: y}");
  ASSERT_TRUE(given.ok());
  EXPECT_EQ((*given)->map("map").at("size"), OptionValue{std::int64_t{4}});
}

}  // namespace
}  // namespace sluice::testing
