#!/usr/bin/env python3
"""Faces in a video by an independent way: ffmpeg's decoder, numpy in float64, ONNX Runtime's Python package.

  face_reference.py --model FILE.onnx --video FILE [-o LINES] [--fit letterbox] [--min-score 0.7] [--frames N]

Writes one JSON line per frame in the format of `json_sink`, plus `picture: [width, height]`; boxes are not clipped.
Needs the packages of requirements.txt (tests/pipelines/face_reference_test.sh puts them into the cache's `venv`).
"""

import argparse
import json
import os
import subprocess
import sys

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before the import: nothing of ours is uploaded

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402

import blazeface  # noqa: E402
import pixels  # noqa: E402


def probe(video):
    """(width, height, frames per second) of the first video stream."""
    text = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height,r_frame_rate", "-of",
         "json", video], check=True, capture_output=True, text=True).stdout
    stream = json.loads(text)["streams"][0]
    over, under = stream["r_frame_rate"].split("/")
    return stream["width"], stream["height"], int(over) / int(under)


def frames(video, width, height, limit):
    """Yields (Y, U, V) of every frame that the file presents (the first `limit`, if not 0), none doubled or left out."""
    size = width * height
    half = ((height + 1) // 2, (width + 1) // 2)
    part = half[0] * half[1]
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", video, "-map", "0:v:0", "-fps_mode", "passthrough", "-f",
               "rawvideo", "-pix_fmt", "yuv420p"] + (["-frames:v", str(limit)] if limit else []) + ["-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while True:
            data = process.stdout.read(size + 2 * part)
            if len(data) < size + 2 * part:
                break
            flat = np.frombuffer(data, np.uint8)
            yield (flat[:size].reshape(height, width), flat[size:size + part].reshape(half),
                   flat[size + part:].reshape(half))
    if process.returncode != 0:
        raise SystemExit(f"error: ffmpeg ended with {process.returncode}")


def open_model(path):
    """A single-threaded session and the side of its square input."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape
    if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3:
        raise SystemExit(f"error: {path}: expected an input of 1 x side x side x 3, found {shape}")
    return session, shape[1]


def detections(session, side, planes, args):
    """The faces of one picture in source pixels, as the lists of the JSON format."""
    tensor, place = pixels.preprocess("yuv", planes, (side, side), args.fit, "rgb", 127.5, 127.5)
    feed = np.ascontiguousarray(tensor.transpose(1, 2, 0)[None], np.float32)
    outputs = session.run(None, {session.get_inputs()[0].name: feed})
    found = blazeface.weighted_nms(blazeface.decode(outputs, side, args.min_score), args.iou)
    result = []
    for score, box, points in found:
        x0, y0 = pixels.to_source(box[0:2] * side, place)
        x1, y1 = pixels.to_source(box[2:4] * side, place)
        result.append({"label": "face", "score": round(float(score), 6), "box": [x0, y0, x1 - x0, y1 - y0],
                       "keypoints": [list(pixels.to_source(point * side, place)) for point in points]})
    return result


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--video", required=True)
    parser.add_argument("-o", "--output", help="default: standard output")
    parser.add_argument("--fit", choices=("stretch", "letterbox", "crop"), default="letterbox")
    parser.add_argument("--min-score", type=float, default=0.7)
    parser.add_argument("--iou", type=float, default=0.3)
    parser.add_argument("--frames", type=int, default=0, help="only the first N; 0 = all")
    parser.add_argument("--source", default="camera", help="the name written into each line")
    return parser.parse_args()


def main():
    args = parse_arguments()
    width, height, rate = probe(args.video)
    session, side = open_model(args.model)
    out = open(args.output, "w", encoding="utf-8") if args.output else sys.stdout
    with_face = total = 0
    for number, planes in enumerate(frames(args.video, width, height, args.frames)):
        found = detections(session, side, planes, args)
        line = {"source": args.source, "frame": number, "time_ms": number * 1000.0 / rate, "detections": found,
                "picture": [width, height]}
        out.write(json.dumps(line) + "\n")
        total += 1
        with_face += bool(found)
    print(f"{with_face} of {total} frames have a face", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
