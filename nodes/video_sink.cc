// video_sink: writes frames to a video file.
//   inputs   frame: any format; another size is scaled to the first one's; odd sides lose a row or column
//   outputs  none
//   options  path, overwrite, fps, quality: see describe
//   drops    nothing of its own; a write error ends the run
//   thread   its own
#include <fmt/format.h>

#include <filesystem>

#include "nodes/module_loader.h"
#include "nodes/video_nodes.h"

namespace sluice {
namespace {

void check_options(const Options& options, const RefuseOption& refuse) {
  if (!options.has("path")) return;
  const std::string& path = options.text("path");
  const std::string extension = std::filesystem::path(path).extension().string();
  if (extension == ".mp4" || extension == ".mkv" || extension == ".avi") return;
  refuse("path", invalid(fmt::format("option 'path' is '{}', allowed: a file that ends in .mp4, .mkv or .avi",
                                     path)));
}

}  // namespace

NodeDeclaration video_sink_declaration() {
  NodeDeclaration d;
  d.type = "video_sink";
  d.about("Writes frames to a video file (H.264 where the system can, else MPEG-4).");
  d.sink = true;
  d.thread = ThreadKind::kOwn;
  d.check_options = check_options;
  d.input("frame", PortKind::kFrame)
      .help("any format; the first one's size is the video's, without the last row or column of odd sides");
  d.option("path", OptionKind::kPathOut)
      .must()
      .help("a file that ends in .mp4, .mkv or .avi; made with the first frame");
  d.option("overwrite", false).help("replace an existing file");
  d.option("fps", OptionKind::kNumber)
      .in_unit("1/s")
      .range(0.001, 1000)
      .help("constant rate of the file (default: each frame at its media time; .avi: the source's rate)");
  d.option("quality", 60).range(0, 100).help("0 smallest file, 100 best picture");
  d.create = [] { return create_from_module("video", "sluice_video_writer"); };
  return d;
}

}  // namespace sluice
