#include "runtime/describe_nodes.h"

#include <gtest/gtest.h>

#include "tests/runtime/registry_fixture.h"

namespace sluice {
namespace {

TEST(DescribeNodes, List) {
  EXPECT_EQ(list_nodes(testing::registry()),
            "camera  Makes frames.\n"
            "filter  Changes frames.\n"
            "out     Takes frames.\n");
}

TEST(DescribeNodes, ASource) {
  EXPECT_EQ(describe_node(testing::camera_declaration()),
            "camera: Makes frames.\n"
            "outputs\n"
            "  frame  frame  The picture.\n"
            "options\n"
            "  option      value                        default\n"
            "  uri         address or path              required  What to open.\n"
            "  timeout_ms  whole number 1..60000 ms     5000      Longest silence.\n"
            "  pace        realtime, max or number > 0  -\n"
            "  loop        true, false                  false\n"
            "thread: its own (may wait for the outside world)\n"
            "on_error: drop\n");
}

TEST(DescribeNodes, PortsAndOptionsOfAllKinds) {
  const std::string text = describe_node(testing::filter_declaration());
  for (const auto* part : {"  image  frame  (edited in place)\n", "(any number) (may be left out)\n",
                           "(up to 4 per frame)\n", "stretch, crop", "number or list 0..255",
                           "list, or path of a text file", "(can change while running)",
                           "  batch.max      whole number 1..64", "list of maps", "  steps.rate_hz"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST(DescribeNodes, ALongListOfWordsDoesNotWidenTheTable) {
  NodeDeclaration node;
  node.option("mode", OptionKind::kChoice).any_of(std::vector<std::string>(20, "word")).doc = "How.";
  node.option("other", false).doc = "Whether.";
  const std::string text = describe_node(node);
  EXPECT_NE(text.find("  mode    one word     -        How. Allowed: word, word, "), std::string::npos)
      << text;
  EXPECT_NE(text.find("  other   true, false  false    Whether.\n"), std::string::npos) << text;
}

TEST(DescribeNodes, SinksStopOnErrors) {
  EXPECT_EQ(describe_node(testing::sink_declaration()),
            "out: Takes frames.\n"
            "inputs\n"
            "  in  any\n"
            "thread: a worker (computes only)\n"
            "on_error: stop\n");
}

}  // namespace
}  // namespace sluice
