#include "framework/node/planned_types.h"

#include <algorithm>
#include <array>

namespace sluice {

bool is_planned_type(std::string_view type) {
  constexpr std::array<std::string_view, 11> kTypes = {"replay_source", "crop",        "segment", "landmarks",
                                                       "text_boxes",    "text_decode", "track",   "smooth",
                                                       "live_view",     "mqtt_sink",   "motion"};
  return std::ranges::find(kTypes, type) != kTypes.end();
}

}  // namespace sluice
