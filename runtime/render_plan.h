// A plan for people and programs: `sluice plan --format text|json|dot|svg`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "framework/plan/plan.h"

namespace sluice {

enum class PlanFormat { kText, kJson, kDot, kSvg };
std::optional<PlanFormat> parse_plan_format(std::string_view name);

// Ends with a line end. Same plan, same bytes.
std::string render_plan(const Plan& plan, PlanFormat format);

std::string render_plan_text(const Plan& plan);
std::string render_plan_json(const Plan& plan);
std::string render_plan_dot(const Plan& plan);
std::string render_plan_svg(const Plan& plan);

// Words that the renderings share.
namespace plan_words {
std::string size(std::size_t bytes);  // "192 B", "3.5 KiB", "12.0 MiB"
std::string port_type(
    const PortType& type);  // "float32 1x3x128x128 nchw", "frame nv12 1280x720", "detections"
std::string output_type(const NodePlan& node,
                        std::size_t output);  // of its routes, " | " between different ones
std::string input_name(const Plan& plan, const PlanEdge& edge);   // "image", "tensors[scores]"
std::string output_name(const Plan& plan, const PlanEdge& edge);  // "camera.frame"
std::string delivery(
    const PlanEdge& edge);  // "exact", "exact, capacity 1, drop_oldest", "latest, up to 500 ms old"
std::string_view name_of(WhenFull when_full);
// "on the cpu (device: auto)", of a node that can run on several; empty for others.
std::string device(const NodePlan& node);
}  // namespace plan_words

}  // namespace sluice
