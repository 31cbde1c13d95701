#include <gtest/gtest.h>

#include "framework/plan/output_name.h"

namespace sluice::planning {
namespace {

TEST(OutputName, AFolderAndTheSourceAreWrittenOut) {
  EXPECT_EQ(output_names("shots/", "cam"), "shots/cam_{frame}.jpg");
  EXPECT_EQ(output_names("{source}/{source}-{frame}.png", "cam"), "cam/cam-{frame}.png");
  EXPECT_EQ(output_names("out.jsonl", "cam"), "out.jsonl");
}

TEST(OutputName, PatternsMeetWhereOneNameFitsBoth) {
  const struct {
    const char* a;
    const char* b;
    bool meet;
  } cases[] = {
      {"c_{frame}.jpg", "c_{frame}.jpg", true},
      {"c_{frame}.jpg", "c_{frame}.png", false},
      {"c_{frame}.jpg", "e_{frame}.jpg", false},
      {"c_{frame}.jpg", "c_000012.jpg", true},
      {"c_{frame}.jpg", "c_1234567.jpg", true},
      {"c_{frame}.jpg", "c_00012.jpg", false},  // six digits or more
      {"c_{frame}.jpg", "c_00001x.jpg", false},
      {"c{frame}.jpg", "c1{frame}.jpg", true},  // frame 1000000 of the one
      {"c_{frame}.jpg", "c_{frame}", false},
      {"out.jsonl", "out.jsonl", true},
      {"out.jsonl", "out.json", false},
      {"", "", true},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(can_meet(c.a, c.b), c.meet) << c.a << " " << c.b;
    EXPECT_EQ(can_meet(c.b, c.a), c.meet) << c.b << " " << c.a;
  }
}

}  // namespace
}  // namespace sluice::planning
