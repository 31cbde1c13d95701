// Resize and Upsample of edges_test.cc.
#pragma once

#include <string>
#include <vector>

#include "tests/backends/gpu/edge_model.h"

namespace sluice::testing {

// Every mode with every way to count coordinates, up, down and to sizes.
inline std::vector<Edge> edge_resize_modes() {
  std::vector<Edge> out;
  static std::vector<std::string> names;  // what Edge points to
  names.reserve(200);
  for (const char* mode : {"nearest", "linear"})
    for (const char* coordinates :
         {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
          "tf_half_pixel_for_nn", "tf_crop_and_resize"})
      for (const bool up : {true, false}) {
        const int opset = coordinates == std::string("tf_half_pixel_for_nn")   ? 11
                          : coordinates == std::string("half_pixel_symmetric") ? 19
                                                                               : 13;
        std::string name = std::string(mode) + coordinates + (up ? "Up" : "Down");
        std::erase(name, '_');
        names.push_back(name);
        out.push_back({names.back().c_str(),
                       "Resize",
                       opset,
                       {1, 3, 6, 8},
                       {Factors{{0, 0, 0.1F, 0.2F, 1, 1, 0.8F, 0.7F}}, Factors{{}},
                        Axes{{1, 3, up ? 12 : 3, up ? 24 : 4}}},
                       {{"mode", mode}, {"coordinate_transformation_mode", coordinates}}});
      }
  return out;
}

inline const std::vector<Edge> kEdgeResizes = {
    {"UpsampleNearest", "Upsample", 9, {1, 3, 6, 7}, {Factors{{1, 1, 2, 3}}}, {{"mode", "nearest"}}},
    {"UpsampleLinear", "Upsample", 9, {1, 3, 6, 7}, {Factors{{1, 1, 2, 3}}}, {{"mode", "linear"}}},
    {"UpsampleByAttribute",
     "Upsample",
     7,
     {1, 3, 6, 7},
     {},
     {{"mode", "linear"}, {"scales", Floats{1, 1, 2, 2}}}},
    {"ResizeVersion10", "Resize", 10, {1, 3, 6, 7}, {Factors{{1, 1, 2, 0.5F}}}, {{"mode", "linear"}}},
    {"ResizeFractions",
     "Resize",
     13,
     {1, 3, 6, 7},
     {Absent{}, Factors{{1, 1, 0.7F, 1.9F}}},
     {{"mode", "linear"}}},
    {"ResizeAntialias",
     "Resize",
     18,
     {1, 3, 9, 8},
     {Absent{}, Absent{}, Axes{{1, 3, 4, 5}}},
     {{"mode", "linear"}, {"antialias", 1}}},
    {"ResizeAntialiasFractions",
     "Resize",
     18,
     {1, 3, 9, 8},
     {Absent{}, Factors{{1, 1, 0.6F, 0.4F}}},
     {{"mode", "linear"}, {"antialias", 1}}},
    {"ResizeAntialiasCubic",
     "Resize",
     18,
     {1, 3, 9, 8},
     {Absent{}, Factors{{1, 1, 0.6F, 0.5F}}},
     {{"mode", "cubic"}, {"antialias", 1}}},
    {"ResizeAntialiasInside",
     "Resize",
     18,
     {1, 3, 9, 8},
     {Absent{}, Factors{{1, 1, 0.6F, 0.5F}}},
     {{"mode", "cubic"}, {"antialias", 1}, {"exclude_outside", 1}}},
    {"ResizeCropsToItsOwnSize",
     "Resize",
     13,
     {1, 1, 5, 5},
     {Factors{{0, 0, 0.1F, 0.2F, 1, 1, 0.9F, 0.8F}}, Factors{{}}, Axes{{1, 1, 5, 5}}},
     {{"mode", "linear"}, {"coordinate_transformation_mode", "tf_crop_and_resize"}},
     1,
     "crops to its own size"},
    {"ResizeAxes",
     "Resize",
     18,
     {1, 3, 9, 8},
     {Absent{}, Absent{}, Axes{{4, 5}}},
     {{"mode", "linear"}, {"axes", EdgeDims{-1, 2}}}},
    {"ResizeOutside",
     "Resize",
     13,
     {1, 1, 5, 5},
     {Factors{{0, 0, -0.4F, 0.2F, 1, 1, 1.3F, 1.4F}}, Factors{{}}, Axes{{1, 1, 6, 7}}},
     {{"mode", "linear"},
      {"coordinate_transformation_mode", "tf_crop_and_resize"},
      {"extrapolation_value", 7.5F}}},
    {"ResizeKeepsAspect",
     "Resize",
     18,
     {1, 3, 9, 8},
     {Absent{}, Absent{}, Axes{{4, 5}}},
     {{"mode", "linear"}, {"axes", EdgeDims{2, 3}}, {"keep_aspect_ratio_policy", "not_larger"}},
     1,
     "keeps the aspect ratio"},
};

}  // namespace sluice::testing
