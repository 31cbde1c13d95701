#include "backends/absent.h"

#include "inference/backend_options.h"

namespace sluice {
namespace {

class AbsentBackend final : public Backend {
 public:
  AbsentBackend(std::string name, std::string missing)
      : name_(std::move(name)), missing_(std::move(missing)) {}
  std::string_view name() const override { return name_; }
  Status available() override { return unavailable("backend '" + name_ + "' is not available: " + missing_); }
  const std::vector<OptionDeclaration>& options() const override { return backend_options(name_); }
  Result<std::unique_ptr<Session>> open(const SessionRequest&) override { return available(); }

 private:
  const std::string name_;
  const std::string missing_;
};

}  // namespace

std::unique_ptr<Backend> make_absent_backend(std::string name, std::string missing) {
  return std::make_unique<AbsentBackend>(std::move(name), std::move(missing));
}

}  // namespace sluice
