# Pictures in and out: what stands in the library itself. The parts that need FFmpeg are the module in video/.
set(SLUICE_VIDEO_NODES
    image_sink.cc image_source.cc module_loader.cc picture_name.cc picture_pattern.cc test_pattern.cc video_nodes.cc video_sink.cc
    video_source.cc video_uri.cc)
