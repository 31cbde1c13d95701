#include "inference/services.h"

#include <algorithm>

namespace sluice {

void InferenceRecord::add_run(TimeNs latency) {
  std::lock_guard lock(mutex_);
  entry_.latency.add(latency);
}

void InferenceRecord::judge_inputs_by(std::vector<const ClipMeter*> writers) {
  std::lock_guard lock(mutex_);
  writers_ = std::move(writers);
}

void InferenceRecord::choose(Choice choice, const Placement& placement, const SessionHandle& session) {
  std::lock_guard lock(mutex_);
  entry_.backend = choice.backend;
  entry_.variant = choice.variant;
  entry_.placement = placement;
  entry_.simulated = entry_.simulated || session->session().simulated();
  if (const auto before = session_.lock(); before && before != session)
    abandoned_before_ += before->abandoned();
  session_ = session;
  if (std::ranges::find(entry_.ran_on, choice.backend) == entry_.ran_on.end())
    entry_.ran_on.push_back(choice.backend);
  if (entry_.decisions.size() == InferenceEntry::kMostDecisions) {
    entry_.decisions.erase(entry_.decisions.begin() + 1);
    ++entry_.decisions_left_out;
  }
  entry_.decisions.push_back(std::move(choice));
}

bool InferenceRecord::warn(std::string text) {
  std::lock_guard lock(mutex_);
  if (std::ranges::find(entry_.warnings, text) != entry_.warnings.end()) return false;
  entry_.warnings.push_back(std::move(text));
  return true;
}

InferenceEntry InferenceRecord::snapshot() const {
  std::lock_guard lock(mutex_);
  InferenceEntry entry = entry_;
  std::uint64_t clipped = 0, values = 0;
  for (const ClipMeter* writer : writers_) {
    clipped += writer->clipped();
    values += writer->values();
    if (std::string text = writer->warning(); !text.empty()) entry.warnings.push_back(std::move(text));
  }
  if (values > 0) entry.saturated_fraction = static_cast<double>(clipped) / static_cast<double>(values);
  entry.abandoned_runs = abandoned_before_;
  if (const auto session = session_.lock()) entry.abandoned_runs += session->abandoned();
  return entry;
}

InferenceServices::InferenceServices(InferenceSetup setup)
    : clock_(setup.clock),
      ranges_(setup.ranges),
      backends_(std::move(setup.backends)),
      models_(std::move(setup.models)),
      runs_at_once_(std::move(setup.runs_at_once)),
      on_one_path_(std::move(setup.on_one_path)),
      sessions_(*setup.clock) {}

int InferenceServices::runs_at_once(std::string_view node) const {
  const auto found = runs_at_once_.find(node);
  return found == runs_at_once_.end() ? 0 : found->second;
}

Backend* InferenceServices::backend(std::string_view name) const {
  for (const auto& backend : backends_)
    if (backend->name() == name) return backend.get();
  return nullptr;
}

Result<ModelRequest> InferenceServices::model(std::string_view name, std::string_view variant) const {
  std::lock_guard lock(mutex_);
  for (const ModelRequest& model : models_)
    if (model.name == name && model.variant == variant) return model;
  return invalid("there is no model '" + std::string(name) + "'" +
                 (variant.empty() ? "" : " with a variant '" + std::string(variant) + "'"));
}

void InferenceServices::set_path(std::string_view name, const std::string& path) {
  std::lock_guard lock(mutex_);
  for (ModelRequest& model : models_) {
    if (model.name != name || !model.variant.empty()) continue;
    model.path = path;
    model.sha256.clear();
  }
}

InferenceRecord& InferenceServices::add_record(InferenceEntry start) {
  std::lock_guard lock(mutex_);
  records_.push_back(std::make_unique<InferenceRecord>(std::move(start)));
  return *records_.back();
}

InferenceRecord* InferenceServices::record(std::string_view node) const {
  std::lock_guard lock(mutex_);
  for (const auto& record : records_)
    if (record->node() == node) return record.get();
  return nullptr;
}

ClipMeter& InferenceServices::add_clip_meter(std::string_view node, const std::string& input) {
  std::lock_guard lock(mutex_);
  clip_meters_.push_back(std::make_unique<ClipMeter>(std::string(node), input));
  return *clip_meters_.back();
}

const ClipMeter* InferenceServices::clip_meter(std::string_view node) const {
  std::lock_guard lock(mutex_);
  for (const auto& meter : clip_meters_)
    if (meter->node() == node) return meter.get();
  return nullptr;
}

std::vector<InferenceEntry> InferenceServices::entries() const {
  std::vector<InferenceEntry> out;
  std::lock_guard lock(mutex_);
  out.reserve(records_.size());
  for (const auto& record : records_) out.push_back(record->snapshot());
  return out;
}

}  // namespace sluice
