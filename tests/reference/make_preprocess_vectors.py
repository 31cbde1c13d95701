#!/usr/bin/env python3
"""Writes small pictures and what `preprocess` must make of them (float64), for tests in other languages.

  make_preprocess_vectors.py FOLDER

Per case NAME: NAME.picture.bin (bytes of the planes one after the other, rows without padding; NV12's second plane
holds U and V in turn) and NAME.expected.bin (float64, little endian, channels x height x width). cases.json lists them
with all parameters.
"""

import itertools
import json
import os
import sys

import numpy as np

import pixels

SOURCE = (37, 23)  # odd on purpose: chroma planes are 19 x 12
TARGETS = [(16, 16), (48, 20), (300, 7)]
FORMATS = ["nv12", "i420", "bgr", "rgb", "gray"]
FITS = ["stretch", "letterbox", "crop"]


def make_picture(pixel_format, generator):
    """(planes as `pixels` wants them, planes as they lie in memory): a gradient with noise."""
    width, height = SOURCE
    ramp = np.add.outer(np.arange(height) * 3, np.arange(width) * 4)

    def plane(h, w):
        noise = generator.integers(0, 120, (h, w))
        return ((ramp[:h, :w] + noise) % 256).astype(np.uint8)

    if pixel_format == "gray":
        one = plane(height, width)
        return [one], [one]
    if pixel_format in ("bgr", "rgb"):
        one = np.stack([plane(height, width) for _ in range(3)], axis=2)
        return [one], [one]
    half = ((height + 1) // 2, (width + 1) // 2)
    y, u, v = plane(height, width), plane(*half), plane(*half)
    return [y, u, v], [y, np.stack([u, v], axis=2)] if pixel_format == "nv12" else [y, u, v]


def cases():
    """Every format, fit and target once with RGB; then the other colours, matrices and ranges at one size."""
    for pixel_format, fit, target in itertools.product(FORMATS, FITS, TARGETS):
        yield {"format": pixel_format, "fit": fit, "target": target, "color": "rgb", "matrix": "bt601",
               "full_range": False, "mean": [127.5] * 3, "std": [127.5] * 3, "pad_value": 0.0}
    for color, matrix, full_range in itertools.product(("rgb", "bgr", "gray"), ("bt601", "bt709"), (False, True)):
        count = 1 if color == "gray" else 3
        yield {"format": "nv12", "fit": "letterbox", "target": (16, 16), "color": color, "matrix": matrix,
               "full_range": full_range, "mean": [123.7, 116.3, 103.5][:count], "std": [58.4, 57.1, 57.4][:count],
               "pad_value": 114.0}


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    generator = np.random.default_rng(1)
    listed = []
    for number, case in enumerate(cases()):
        name = f"{number:03}_{case['format']}_{case['fit']}_{case['color']}"
        planes, stored = make_picture(case["format"], generator)
        kind = "yuv" if case["format"] in ("nv12", "i420") else case["format"]
        expected, place = pixels.preprocess(kind, planes, case["target"], case["fit"], case["color"], case["mean"],
                                            case["std"], case["pad_value"], case["matrix"], case["full_range"])
        with open(os.path.join(folder, name + ".picture.bin"), "wb") as file:
            file.write(b"".join(plane.tobytes() for plane in stored))
        expected.astype("<f8").tofile(os.path.join(folder, name + ".expected.bin"))
        listed.append({"name": name, "source": SOURCE, "shape": expected.shape, "placed": place["target"], **case})
    with open(os.path.join(folder, "cases.json"), "w", encoding="utf-8") as file:
        json.dump(listed, file, indent=1)
    print(f"{len(listed)} cases", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
