#!/usr/bin/env python3
"""Compares the lines of a `json_sink` with those of face_reference.py (standard library only).

  compare_detections.py OURS REFERENCE [--min-iou 0.9] [--min-share 0.97]

A frame agrees when both have the same number of faces and each pair's boxes (clipped to the picture) overlap by at
least the IoU. Exit codes: 0 enough frames agree and every box is inside the picture; 1 not; 2 unreadable input.
"""

import argparse
import json
import math
import sys

# Boxes are printed with a few digits; this much outside of the picture is rounding.
SLACK_PIXELS = 0.01


def read(path):
    """{frame number: line as a dictionary}; ends the program at a broken line or a frame that comes twice."""
    lines = {}
    try:
        with sys.stdin if path == "-" else open(path, encoding="utf-8") as file:
            for text in file:
                line = json.loads(text)
                if line["frame"] in lines:
                    raise ValueError(f"frame {line['frame']} twice")
                lines[line["frame"]] = line
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"error: {path}: {error}", file=sys.stderr)
        sys.exit(2)
    return lines


def clip(box, picture):
    """[x, y, w, h] -> (x0, y0, x1, y1) inside the picture."""
    x, y, w, h = box
    return (min(max(x, 0.0), picture[0]), min(max(y, 0.0), picture[1]),
            min(max(x + w, 0.0), picture[0]), min(max(y + h, 0.0), picture[1]))


def iou(a, b):
    w = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h
    return w * h / union if union > 0.0 else 0.0


def inside(box, picture):
    """Finite, not empty, and nowhere outside of the picture."""
    x, y, w, h = box
    return (all(math.isfinite(value) for value in box) and w > 0.0 and h > 0.0 and x >= -SLACK_PIXELS
            and y >= -SLACK_PIXELS and x + w <= picture[0] + SLACK_PIXELS and y + h <= picture[1] + SLACK_PIXELS)


def worst_pair(ours, reference, picture):
    """The least IoU over the pairs, best pairs first; 0 when the numbers of faces differ, 1 without any."""
    if len(ours) != len(reference):
        return 0.0
    mine = [clip(face["box"], picture) for face in ours]
    theirs = [clip(face["box"], picture) for face in reference]
    pairs = sorted(((iou(a, b), i, j) for i, a in enumerate(mine) for j, b in enumerate(theirs)), reverse=True)
    worst, used_i, used_j = 1.0, set(), set()
    for value, i, j in pairs:
        if i not in used_i and j not in used_j:
            used_i.add(i)
            used_j.add(j)
            worst = min(worst, value)
    return worst


def compare(ours, reference):
    """(IoU per frame of either side, frames with a box outside)."""
    overlaps, outside = {}, []
    for number in sorted(set(ours) | set(reference)):
        if number not in ours or number not in reference:
            overlaps[number] = 0.0
            continue
        picture = reference[number]["picture"]
        faces = ours[number]["detections"]
        overlaps[number] = worst_pair(faces, reference[number]["detections"], picture)
        if not all(inside(face["box"], picture) for face in faces):
            outside.append(number)
    return overlaps, outside


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ours", help="lines of json_sink; - = standard input")
    parser.add_argument("reference", help="lines of face_reference.py")
    parser.add_argument("--min-iou", type=float, default=0.9)
    parser.add_argument("--min-share", type=float, default=0.97)
    args = parser.parse_args()
    ours, reference = read(args.ours), read(args.reference)
    if not reference:
        print("error: the reference is empty", file=sys.stderr)
        return 2
    overlaps, outside = compare(ours, reference)
    agree = sum(value >= args.min_iou for value in overlaps.values())
    share = agree / len(overlaps)
    worst = sorted(overlaps.items(), key=lambda item: item[1])[:5]
    print(f"{agree} of {len(overlaps)} frames agree at IoU {args.min_iou} ({share:.1%}, demanded {args.min_share:.1%}); "
          f"{len(ours)} lines of ours, {len(reference)} of the reference")
    print("worst frames: " + ", ".join(f"{number}: {value:.3f}" for number, value in worst))
    print(f"frames with a box outside of the picture: {len(outside)}" + (f", first {outside[0]}" if outside else ""))
    return 0 if share >= args.min_share and not outside else 1


if __name__ == "__main__":
    sys.exit(main())
