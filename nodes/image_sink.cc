// image_sink: writes each frame to a picture file of its own.
//   inputs   frame: any format and size
//   outputs  none
//   options  path, overwrite, quality: see describe
//   drops    nothing of its own; a write error ends the run
//   thread   its own
#include <fmt/format.h>

#include "nodes/module_loader.h"
#include "nodes/picture_name.h"
#include "nodes/video_nodes.h"

namespace sluice {
namespace {

void check_options(const Options& options, const RefuseOption& refuse) {
  if (!options.has("path")) return;
  const Result<PictureName> name = PictureName::parse(options.text("path"));
  if (!name.ok()) return refuse("path", name.status());
  if (name->has_frame() || !options.has("overwrite") || options.flag("overwrite")) return;
  refuse("path",
         invalid(fmt::format(
             "option 'path' is '{}': without {{frame}} each picture replaces the last; add {{frame}} or "
             "set overwrite: true",
             options.text("path"))));
}

}  // namespace

NodeDeclaration image_sink_declaration() {
  NodeDeclaration d;
  d.type = "image_sink";
  d.about("Writes each frame to a picture file of its own.");
  d.sink = true;
  d.thread = ThreadKind::kOwn;
  d.check_options = check_options;
  d.input("frame", PortKind::kFrame).help("any format and size");
  d.option("path", OptionKind::kPathOut)
      .must()
      .help(
          "a folder (ends in '/' or exists), or a name with {frame} and {source} that ends in .jpg, .jpeg or "
          ".png");
  d.option("overwrite", false).help("replace existing files");
  d.option("quality", 90).range(0, 100).help("of a JPEG: 0 smallest file, 100 best picture");
  d.create = [] { return create_from_module("video", "sluice_picture_writer"); };
  return d;
}

}  // namespace sluice
