#include "framework/node/declaration.h"

namespace sluice {
namespace {

PortDeclaration port(std::string name, PortKind kind) {
  PortDeclaration p;
  p.name = std::move(name);
  p.kind = kind;
  p.payload = payload_of(kind);
  return p;
}

OptionDeclaration& add(NodeDeclaration& node, std::string name, OptionKind kind, OptionValue fallback) {
  OptionDeclaration o;
  o.name = std::move(name);
  o.kind = kind;
  o.fallback = std::move(fallback);
  node.options.push_back(std::move(o));
  return node.options.back();
}

}  // namespace

const PayloadType* payload_of(PortKind kind) {
  switch (kind) {
    case PortKind::kFrame:
      return payload_type<Image>();
    case PortKind::kTensor:
    case PortKind::kTensorSet:
      return payload_type<Tensor>();
    case PortKind::kDetections:
      return payload_type<Detections>();
    case PortKind::kClasses:
      return payload_type<Classes>();
    case PortKind::kText:
      return payload_type<TextRegions>();
    case PortKind::kMasks:
      return payload_type<Masks>();
    case PortKind::kAny:
    case PortKind::kCustom:
      return nullptr;
  }
  return nullptr;
}

std::string_view name_of(PortKind kind) {
  switch (kind) {
    case PortKind::kAny:
      return "any";
    case PortKind::kFrame:
      return "frame";
    case PortKind::kTensor:
      return "tensor";
    case PortKind::kTensorSet:
      return "tensors";
    case PortKind::kDetections:
      return "detections";
    case PortKind::kClasses:
      return "classes";
    case PortKind::kText:
      return "text";
    case PortKind::kMasks:
      return "masks";
    case PortKind::kCustom:
      return "custom";
  }
  return "any";
}

std::string_view name_of(ThreadKind kind) {
  switch (kind) {
    case ThreadKind::kWorker:
      return "worker";
    case ThreadKind::kOwn:
      return "own";
    case ThreadKind::kLane:
      return "lane";
  }
  return "worker";
}

PortDeclaration& NodeDeclaration::input(std::string name, PortKind kind) {
  inputs.push_back(port(std::move(name), kind));
  return inputs.back();
}

PortDeclaration& NodeDeclaration::output(std::string name, PortKind kind) {
  outputs.push_back(port(std::move(name), kind));
  return outputs.back();
}

OptionDeclaration& NodeDeclaration::option(std::string name, bool fallback) {
  return add(*this, std::move(name), OptionKind::kBool, OptionValue{fallback});
}
OptionDeclaration& NodeDeclaration::option(std::string name, int fallback) {
  return add(*this, std::move(name), OptionKind::kInteger, OptionValue{std::int64_t{fallback}});
}
OptionDeclaration& NodeDeclaration::option(std::string name, double fallback) {
  return add(*this, std::move(name), OptionKind::kNumber, OptionValue{fallback});
}
OptionDeclaration& NodeDeclaration::option(std::string name, const char* fallback) {
  return add(*this, std::move(name), OptionKind::kText, OptionValue{std::string(fallback)});
}
OptionDeclaration& NodeDeclaration::option(std::string name, OptionKind kind) {
  return add(*this, std::move(name), kind, OptionValue{});
}

}  // namespace sluice
