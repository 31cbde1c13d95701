#!/usr/bin/env python3
"""The face pipeline as a user of MediaPipe's Tasks builds it: OpenCV reads the video, `FaceDetector` does the rest.

Arguments and output as the hand-written programs of tests/bench/baseline, for compare.py. Runs in the Python environment
that `tools/dev bench video` makes from mediapipe_requirements.txt. The weights are those of the front model (128x128); the
wheel brings them as TensorFlow Lite, and MediaPipe has no other model of that family, so `--model 256` is refused.
"""
import argparse
import json
import math
import os
import resource
import sys
import time

import cv2
import mediapipe
from mediapipe.tasks.python import BaseOptions, vision

WARM_FRAMES = 30  # before the steady part, as in tests/bench/baseline/measure.h
MIN_SCORE = 0.7
MIN_IOU = 0.3
SHORT_RANGE = 'modules/face_detection/face_detection_short_range.tflite'


def fail(what):
    sys.exit(f'error: {what}')


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--model', nargs=2, required=True, metavar=('SIZE', 'FILE'), help='FILE is not read')
    parser.add_argument('--video', required=True)
    parser.add_argument('--loops', type=int, default=1)
    parser.add_argument('--fps', type=float, default=0.0, help='0: as fast as possible')
    parser.add_argument('--fit', choices=['letterbox', 'stretch'], default='letterbox', help='MediaPipe has letterbox only')
    parser.add_argument('--json', action='store_true')
    args = parser.parse_args()
    if args.model[0] != '128':
        fail(f'MediaPipe brings no model of {args.model[0]} pixels with these weights, only of 128')
    if args.fit != 'letterbox':
        fail('MediaPipe fits pictures by letterbox only')
    return args


def make_detector():
    path = os.path.join(os.path.dirname(mediapipe.__file__), SHORT_RANGE)
    if not os.path.exists(path):
        fail(f'the wheel of MediaPipe {mediapipe.__version__} has no {SHORT_RANGE}')
    options = vision.FaceDetectorOptions(base_options=BaseOptions(model_asset_path=path), running_mode=vision.RunningMode.VIDEO,
                                         min_detection_confidence=MIN_SCORE, min_suppression_threshold=MIN_IOU)
    return vision.FaceDetector.create_from_options(options)


def busy_s():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def figures(values):
    """Mean and percentiles: the smallest value that at least that share does not exceed."""
    ordered = sorted(values)

    def percentile(share):
        return ordered[max(1, math.ceil(share * len(ordered))) - 1]
    return {'mean': sum(ordered) / len(ordered), 'p50': percentile(0.5), 'p95': percentile(0.95), 'p99': percentile(0.99),
            'max': ordered[-1]}


class Stats:
    def __init__(self):
        self.finished = []  # seconds
        self.after_decode_ms = []
        self.latency_ms = []
        self.faces = 0
        self.with_face = 0
        self.last_box = [0.0] * 4
        self.steady_s = 0.0

    def add(self, start, decoded, detections, width, height):
        now = time.perf_counter()
        self.finished.append(now)
        self.after_decode_ms.append((now - decoded) * 1e3)
        self.latency_ms.append((now - start) * 1e3)
        self.faces += len(detections)
        self.with_face += bool(detections)
        if detections:
            box = detections[0].bounding_box
            self.last_box = [box.origin_x / width, box.origin_y / height, (box.origin_x + box.width) / width,
                             (box.origin_y + box.height) / height]
        if len(self.finished) == WARM_FRAMES:
            self.steady_s = busy_s()

    def result(self):
        frames = len(self.finished)
        if frames < 2:
            fail('the video has no two pictures')
        return {'program': 'mediapipe_faces', 'model': 128, 'frames': frames, 'faces': self.faces,
                'frames_with_face': self.with_face, 'fps': (frames - 1) / (self.finished[-1] - self.finished[0]),
                'cpu_ms_per_frame': (busy_s() - self.steady_s) * 1e3 / max(1, frames - WARM_FRAMES),
                'after_decode_ms': figures(self.after_decode_ms), 'latency_ms': figures(self.latency_ms),
                'peak_rss_mb': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 'last_box': self.last_box}


def wait_until_due(begin, number, fps):
    """When the picture is due, paced like a camera; now without a pace."""
    if fps <= 0:
        return time.perf_counter()
    due = begin + number / fps
    time.sleep(max(0.0, due - time.perf_counter()))
    return due


def run(args, detector, stats):
    begin, number = time.perf_counter(), 0
    for _ in range(args.loops):
        video = cv2.VideoCapture(args.video)
        if not video.isOpened():
            fail(f"'{args.video}' cannot be opened")
        while True:
            start = wait_until_due(begin, number, args.fps)
            there, picture = video.read()
            if not there:
                break
            decoded = time.perf_counter()
            rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=rgb)
            found = detector.detect_for_video(image, number * 33)  # stamps that grow, in milliseconds
            stats.add(start, decoded, found.detections, picture.shape[1], picture.shape[0])
            number += 1
        video.release()


def main():
    args = parse_arguments()
    stats = Stats()
    with make_detector() as detector:
        run(args, detector, stats)
    result = stats.result()
    if args.json:
        print(json.dumps(result))
    else:
        print(f"mediapipe_faces: {result['frames']} frames, {result['faces']} faces, {result['fps']:.1f} fps, "
              f"{result['cpu_ms_per_frame']:.3f} CPU ms per frame, peak {result['peak_rss_mb']:.1f} MB")


if __name__ == '__main__':
    main()
