# detect, classify, draw, rate_limit, drop_stale, switch, json_sink, null_sink, app_source, app_sink. Sets
# SLUICE_POST_NODES.
set(SLUICE_POST_NODES
    app_ends.cc classify.cc detect.cc draw.cc drop_stale.cc json_sink.cc labels.cc null_sink.cc post_nodes.cc
    rate_limit.cc switch.cc
    decoders/blazeface.cc decoders/nms.cc decoders/ssd.cc decoders/yolo.cc
    draw/canvas.cc draw/font.cc draw/tint.cc
    json/json_text.cc json/line_file.cc json/packet_json.cc)
