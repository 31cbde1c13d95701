"""BlazeFace's outputs -> faces, as MediaPipe defines it; independent of the C++ decoder.

Outputs in the models' order: scores of the fine grid (512), of the coarse grid (384), boxes and six key points of the
fine grid (512 x 16), of the coarse grid (384 x 16). Coordinates are in input pixels relative to the anchor's centre.
"""

import numpy as np


def anchors(size):
    """896 centres (x, y) in parts of the input: 2 per cell of 16 x 16, 6 per cell of 8 x 8; row by row."""
    strides = {128: (8, 16), 256: (16, 32)}[size]
    centres = []
    for stride, repeat in zip(strides, (2, 6)):
        cells = size // stride
        for y in range(cells):
            for x in range(cells):
                centres += [((x + 0.5) / cells, (y + 0.5) / cells)] * repeat
    return np.array(centres)


def decode(outputs, size, min_score):
    """[(score, box (x0, y0, x1, y1), key points 6 x 2)], in parts of the input, best first."""
    logits = np.concatenate([np.asarray(outputs[i], np.float64).reshape(-1) for i in (0, 1)])
    raw = np.concatenate([np.asarray(outputs[i], np.float64).reshape(-1, 16) for i in (2, 3)])
    scores = 1.0 / (1.0 + np.exp(-np.clip(logits, -100.0, 100.0)))
    centres = anchors(size)
    faces = []
    for i in np.argsort(-scores, kind="stable"):
        if scores[i] < min_score:
            break
        x, y = centres[i] + raw[i, 0:2] / size
        w, h = raw[i, 2:4] / size
        points = centres[i] + raw[i, 4:16].reshape(6, 2) / size
        faces.append((scores[i], np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]), points))
    return faces


def iou(a, b):
    """Intersection over union of two boxes (x0, y0, x1, y1)."""
    w = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h
    return w * h / union if union > 0.0 else 0.0


def weighted_nms(faces, min_iou):
    """The best face takes all that overlap it by more than `min_iou` into a mean weighted by score, keeps its own
    score, and so on with the rest."""
    result = []
    rest = list(faces)
    while rest:
        best = rest[0]
        near = [face for face in rest if iou(best[1], face[1]) > min_iou]
        if not near:  # a box without area overlaps nothing, not even itself
            near = [best]
        weights = np.array([face[0] for face in near])
        box = np.average([face[1] for face in near], axis=0, weights=weights)
        points = np.average([face[2] for face in near], axis=0, weights=weights)
        result.append((best[0], box, points))
        taken = {id(face) for face in near}
        rest = [face for face in rest if id(face) not in taken]
    return result
