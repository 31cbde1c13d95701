#include "nodes/device_scaler.h"

#include "inference/services.h"
#include "nodes/pixels/recipe.h"

namespace sluice {

namespace {

constexpr const char* kWhere = "option 'device' is 'gpu': ";

Result<PictureBackend*> backend_of(void* services) {
  auto* all = static_cast<InferenceServices*>(services);
  Backend* backend = all ? all->backend("gpu") : nullptr;
  auto* pictures = dynamic_cast<PictureBackend*>(backend);
  if (!pictures)
    return unavailable(std::string(kWhere) + "this program has no backend 'gpu'; allowed: auto, cpu");
  if (const Status there = backend->available(); !there.ok()) return there.with_context(kWhere);
  return pictures;
}

}  // namespace

Status DeviceScaler::available(void* services) { return backend_of(services).status(); }

Result<DeviceScaler> DeviceScaler::open(void* services, const std::string& device,
                                        const pixels::Target& target) {
  SLUICE_ASSIGN(PictureBackend* const pictures, backend_of(services));
  auto maker = pictures->open_pictures(device);
  if (!maker.ok()) return maker.status().with_context(kWhere);
  return DeviceScaler(std::move(*maker), target);
}

Status DeviceScaler::run(const Image& image, std::byte* out) {
  if (!prepared_ || image.type != type_) {
    prepared_ = false;
    SLUICE_ASSIGN(const pixels::MadeRecipe made, pixels::recipe_of(target_, image.type));
    SLUICE_RETURN_IF_ERROR(maker_->prepare(made.recipe));
    geometry_ = made.geometry;
    type_ = image.type;
    prepared_ = true;
  }
  return maker_->run(image, out);
}

}  // namespace sluice
