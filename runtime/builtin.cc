#include "runtime/builtin.h"

#include <cassert>

#include "backends/backends.h"
#include "nodes/infer_node.h"
#include "nodes/post_nodes.h"
#include "nodes/preprocess_nodes.h"
#include "nodes/video_nodes.h"
#include "nodes/video_uri.h"

namespace sluice {
namespace {

// Two built-in nodes of one name: a programming error that every test would hit.
void must(const Status& status) {
  assert(status.ok());
  static_cast<void>(status);
}

}  // namespace

Registry builtin_registry() {
  register_model_formats();
  Registry registry;
  must(register_video_nodes(registry));
  must(register_preprocess_nodes(registry));
  must(register_infer_node(registry));
  must(register_post_nodes(registry));
  return registry;
}

SourceTraits source_traits(const std::string& type, const Options& options) {
  SourceTraits traits;
  if (type == "app_source") {
    traits.live = options.flag("live");
  } else if (type == "video_source") {
    const auto uri = parse_video_uri(options.text("uri"));
    traits.live = uri.ok() && uri->live;
    const OptionValue& pace = options.value("pace");
    const auto* text = std::get_if<std::string>(&pace.data);
    traits.paced = !traits.live && !pace.is_null() && !(text && *text == "max");
  }
  return traits;
}

}  // namespace sluice
