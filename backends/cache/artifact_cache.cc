#include "backends/cache/artifact_cache.h"

#include <cstdlib>

#include "backends/cache/artifact_format.h"
#include "backends/cache/unkept.h"
#include "framework/core/log.h"

namespace sluice {
namespace {

std::string file_of(const ArtifactKey& key) { return key.hash() + ".artifact"; }

std::string named(const std::string& text) { return "artefact cache: " + text; }

void warn(const std::string& text) { log_message(LogLevel::kWarning, named(text)); }

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

std::string ArtifactCache::default_folder() {
  if (const char* named = std::getenv("SLUICE_ARTIFACTS"))
    return named == std::string_view("off") ? "" : named;
  if (const std::string cache = variable("SLUICE_CACHE"); !cache.empty()) return cache + "/artifacts";
  if (const std::string xdg = variable("XDG_CACHE_HOME"); !xdg.empty()) return xdg + "/sluice/artifacts";
  const std::string home = variable("HOME");
  return home.empty() ? "" : home + "/.cache/sluice/artifacts";
}

const CacheFolder* ArtifactCache::folder() {
  if (path_.empty()) return nullptr;
  std::call_once(opened_, [this] {
    auto opened = CacheFolder::open(path_);
    if (opened.ok())
      folder_.emplace(std::move(*opened));
    else
      report_unkept(named(opened.status().message() + "; compiled models are not kept in this run"));
  });
  return folder_ ? &*folder_ : nullptr;
}

std::optional<std::string> ArtifactCache::miss() {
  misses_.fetch_add(1, std::memory_order_relaxed);
  return std::nullopt;
}

std::optional<std::string> ArtifactCache::load(const ArtifactKey& key) {
  const CacheFolder* where = folder();
  if (!where) return miss();
  auto bytes = where->read(file_of(key));
  if (bytes.status().code() == Code::kEndOfStream) return miss();
  if (!bytes.ok()) {
    reject(key, bytes.status().message());
    return miss();
  }
  const auto payload = unpack_artifact(*bytes, key.text());
  if (!payload.ok()) {
    reject(key, payload.status().message());
    return miss();
  }
  hits_.fetch_add(1, std::memory_order_relaxed);
  bytes->erase(0, bytes->size() - payload->size());
  return std::move(*bytes);
}

bool ArtifactCache::store(const ArtifactKey& key, std::string_view payload) {
  const CacheFolder* where = folder();
  if (!where) return false;
  const Status status = where->write(file_of(key), pack_artifact(key.text(), payload));
  if (status.ok())
    stored_.fetch_add(1, std::memory_order_relaxed);
  else if (!warned_of_store_.exchange(true))
    report_unkept(named("'" + where->path() + "' takes no entry: " + status.message() +
                        "; compiled models are not kept in this run"));
  return status.ok();
}

void ArtifactCache::reject(const ArtifactKey& key, const std::string& why) {
  rejected_.fetch_add(1, std::memory_order_relaxed);
  const CacheFolder* where = folder();
  if (!where) return;
  warn("'" + where->path() + "/" + file_of(key) + "' " + why + "; it is made again");
  where->remove(file_of(key));
}

ArtifactCache::Counts ArtifactCache::counts() const {
  return {hits_.load(), misses_.load(), rejected_.load(), stored_.load()};
}

}  // namespace sluice
