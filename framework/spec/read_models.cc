#include <array>
#include <string_view>
#include <utility>

#include "framework/core/suggest.h"
#include "framework/spec/fields.h"
#include "framework/spec/read.h"

namespace sluice {
namespace {

constexpr std::array<std::string_view, 4> kModelKeys = {"path", "sha256", "dims", "variants"};
constexpr std::array<std::string_view, 3> kVariantKeys = {"path", "sha256", "snr_db"};
constexpr std::int64_t kLargestDim = 1 << 30;

// 'path' of a model or variant; missing is an error.
void read_path(const Fields& fields, std::string& path, Mark& mark) {
  fields.require("path", "write where the ONNX file lies");
  mark = fields.mark();
  if (const Value* const value = fields.find("path")) mark = value->mark;
  if (auto text = fields.text("path")) path = *std::move(text);
}

VariantSpec read_variant(const Value::Entry& entry, const std::string& owner, Issues& issues) {
  VariantSpec variant;
  variant.name = entry.key;
  variant.mark = entry.key_mark;
  variant.path_mark = entry.value.mark;
  const std::string here = owner + ": variant " + in_quotes(entry.key);
  const std::string* const path = entry.value.text();
  if (path && !path->empty()) {
    variant.path = *path;
  } else if (entry.value.map()) {
    const Fields fields(entry.value, here, issues);
    fields.only(kVariantKeys);
    read_path(fields, variant.path, variant.path_mark);
    variant.sha256 = fields.sha256("sha256");
    variant.snr_db = fields.number("snr_db");
  } else {
    issues.push_back(
        {entry.value.mark, here + " is " + describe(entry.value) + ", must be a path or a map with 'path'"});
  }
  if (entry.key.empty()) issues.push_back({entry.key_mark, owner + ": a variant's name is empty"});
  return variant;
}

ModelSpec read_model(const Value::Entry& entry, Issues& issues) {
  ModelSpec model;
  model.name = entry.key;
  model.mark = entry.key_mark;
  const std::string owner = "model " + in_quotes(entry.key);
  if (entry.key.empty()) issues.push_back({entry.key_mark, "a model's name is empty"});
  if (!entry.value.map()) {
    issues.push_back(
        {entry.value.mark, owner + " is " + describe(entry.value) + ", must be a map with 'path'"});
    return model;
  }
  const Fields fields(entry.value, owner, issues);
  fields.only(kModelKeys);
  read_path(fields, model.path, model.path_mark);
  if (const Value* const hash = fields.find("sha256")) {
    model.sha256_mark = hash->mark;
    model.sha256 = fields.sha256("sha256");
  }
  if (const Value* const dims = fields.map("dims")) {
    const Fields sizes(*dims, owner + ": dims", issues);
    for (const Value::Entry& dim : *dims->map()) {
      if (const auto size = sizes.whole(dim.key, 1, kLargestDim)) model.dims.emplace_back(dim.key, *size);
    }
  }
  if (const Value* const variants = fields.map("variants")) {
    for (const Value::Entry& v : *variants->map()) model.variants.push_back(read_variant(v, owner, issues));
  }
  return model;
}

}  // namespace

std::vector<ModelSpec> read_models(const Value& models, Issues& issues) {
  std::vector<ModelSpec> out;
  for (const Value::Entry& entry : *models.map()) out.push_back(read_model(entry, issues));
  return out;
}

}  // namespace sluice
