"""The pixel definition of `preprocess`, written from the contract's text in float64: slow, plain, nothing shared with
the C++ code.

Each plane is sampled bilinearly at the target pixel's mapped point (half-pixel centres of that plane, no antialias),
converted, clamped to 0..255 and normalised.
"""

import math

import numpy as np

# Kr and Kb of the standards; everything else of a matrix follows from them.
LUMA_WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}


def default_matrix(height):
    """What a stream that says nothing means."""
    return "bt709" if height >= 720 else "bt601"


def geometry(source, target, fit):
    """Where the picture lies: {source: (x, y, w, h) that is shown, target: (x, y, w, h) that it fills}, in pixels.

    `source` and `target` are (width, height).
    """
    (sw, sh), (tw, th) = source, target
    if fit == "stretch":
        return {"source": (0.0, 0.0, float(sw), float(sh)), "target": (0, 0, tw, th)}
    if fit == "letterbox":
        scale = min(tw / sw, th / sh)
        w, h = math.floor(sw * scale + 0.5), math.floor(sh * scale + 0.5)
        return {"source": (0.0, 0.0, float(sw), float(sh)), "target": ((tw - w) // 2, (th - h) // 2, w, h)}
    if fit == "crop":
        w = min(float(sw), sh * tw / th)
        h = min(float(sh), sw * th / tw)
        return {"source": ((sw - w) / 2, (sh - h) / 2, w, h), "target": (0, 0, tw, th)}
    raise ValueError(fit)


def to_source(point, place):
    """A point in target pixels (edges at integers) as a point of the source picture."""
    (sx, sy, sw, sh), (tx, ty, tw, th) = place["source"], place["target"]
    return (point[0] - tx) * sw / tw + sx, (point[1] - ty) * sh / th + sy


def sample_axis(plane_size, source_size, start, length, count):
    """For `count` target pixels: left neighbour, right neighbour and weight of the right one, in this plane."""
    ratio = plane_size / source_size
    points = (np.arange(count, dtype=np.float64) + 0.5) * (length * ratio / count) + start * ratio - 0.5
    points = np.clip(points, 0.0, plane_size - 1.0)
    left = np.floor(points).astype(np.int64)
    right = np.minimum(left + 1, plane_size - 1)
    return left, right, points - left


def sample(plane, source, place):
    """The plane (2 dimensions, any integer type) at the mapped points of the target area, float64."""
    sx, sy, sw, sh = place["source"]
    _, _, tw, th = place["target"]
    x0, x1, fx = sample_axis(plane.shape[1], source[0], sx, sw, tw)
    y0, y1, fy = sample_axis(plane.shape[0], source[1], sy, sh, th)
    upper, lower = plane[y0].astype(np.float64), plane[y1].astype(np.float64)
    top = upper[:, x0] * (1 - fx) + upper[:, x1] * fx
    bottom = lower[:, x0] * (1 - fx) + lower[:, x1] * fx
    return top * (1 - fy)[:, None] + bottom * fy[:, None]


def yuv_to_rgb(y, u, v, matrix, full_range):
    """Sampled Y, U and V (0..255) -> R, G, B, not clamped."""
    kr, kb = LUMA_WEIGHTS[matrix]
    kg = 1.0 - kr - kb
    luma = y / 255.0 if full_range else (y - 16.0) / 219.0
    cb = (u - 128.0) / (255.0 if full_range else 224.0)
    cr = (v - 128.0) / (255.0 if full_range else 224.0)
    red = luma + 2.0 * (1.0 - kr) * cr
    blue = luma + 2.0 * (1.0 - kb) * cb
    green = (luma - kr * red - kb * blue) / kg
    return red * 255.0, green * 255.0, blue * 255.0


def yuv_channels(planes, source, place, color, matrix, full_range):
    """Sampled channels of a planar YUV picture in the wanted colour order."""
    y = sample(planes[0], source, place)
    if color == "gray":
        return [y if full_range else (y - 16.0) * 255.0 / 219.0]
    u, v = (sample(plane, source, place) for plane in planes[1:])
    rgb = list(yuv_to_rgb(y, u, v, matrix, full_range))
    return rgb if color == "rgb" else rgb[::-1]


def packed_channels(pixel_format, picture, source, place, color):
    """Sampled channels of a BGR, RGB or gray picture. Gray from colour is BT.601 luma."""
    if pixel_format == "gray":
        one = sample(picture, source, place)
        return [one] if color == "gray" else [one] * 3
    rgb = [sample(picture[:, :, i], source, place) for i in ((2, 1, 0) if pixel_format == "bgr" else (0, 1, 2))]
    if color == "gray":
        return [0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]]
    return rgb if color == "rgb" else rgb[::-1]


def preprocess(pixel_format, planes, target, fit="stretch", color="rgb", mean=0.0, std=1.0, pad_value=0.0,
               matrix=None, full_range=False):
    """A picture -> float64 array of channels x height x width, and its geometry.

    `planes`: for `yuv` three arrays Y, U, V (NV12's two chroma channels are separated by the caller), else one array.
    `target` is (width, height).
    """
    source = (planes[0].shape[1], planes[0].shape[0])
    place = geometry(source, target, fit)
    if pixel_format == "yuv":
        channels = yuv_channels(planes, source, place, color, matrix or default_matrix(source[1]), full_range)
    else:
        channels = packed_channels(pixel_format, planes[0], source, place, color)
    x, y, w, h = place["target"]
    out = np.full((len(channels), target[1], target[0]), float(pad_value))
    out[:, y:y + h, x:x + w] = np.clip(np.stack(channels), 0.0, 255.0)
    mean = np.broadcast_to(np.asarray(mean, np.float64), (len(channels),))
    std = np.broadcast_to(np.asarray(std, np.float64), (len(channels),))
    return (out - mean[:, None, None]) / std[:, None, None], place
