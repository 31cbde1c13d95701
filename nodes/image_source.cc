// image_source: reads pictures from a file, a folder or a glob pattern, sorted by name.
//   inputs   none
//   outputs  frame: one picture each (i420, i422, i444 or gray of a JPEG; rgb or gray of others), each of its
//            own size
//   options  path, recursive, repeat: see describe
//   drops    pool_empty: realtime and no free buffer; broken pictures are counted as corrupt and not produced
//   thread   its own
#include "nodes/module_loader.h"
#include "nodes/video_nodes.h"

namespace sluice {

NodeDeclaration image_source_declaration() {
  NodeDeclaration d;
  d.type = "image_source";
  d.about("Reads pictures (JPEG, PNG, BMP, WebP, TIFF, PNM) from a file, a folder or a glob pattern.");
  d.source = true;
  d.thread = ThreadKind::kOwn;
  d.output("frame", PortKind::kFrame)
      .help("one picture, of its own size; EXIF orientation is applied")
      .shared_read_only();
  d.option("path", OptionKind::kPath)
      .must()
      .help("a file, a folder, or a pattern with * ? [ ]; read sorted by name");
  d.option("recursive", false).help("a folder's subfolders too");
  d.option("repeat", 1).range(1, 1e9).help("how often the whole list is read");
  d.create = [] { return create_from_module("video", "sluice_picture_source"); };
  return d;
}

}  // namespace sluice
