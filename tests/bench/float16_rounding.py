#!/usr/bin/env python3
"""What float16 storage alone costs a model: ONNX Runtime's float32 arithmetic on the CPU, with each weight and each
tensor between two operators rounded to float16 and back.

  python tests/bench/float16_rounding.py [--only NAME]

Run it with an environment that has onnxruntime, onnx and numpy (tools/dev bench float16 makes one in the cache).
Prints max |a - b| / max |b| over the outputs, b without rounding: no implementation that stores everything as float16
can count on less; one with larger fused kernels rounds less often, and ours keeps what is small as float32
(backends/gpu/README.md).
"""
import argparse
import os
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../data')
MODELS = {
    'BlazeFace128': ('models/face_detection_front_128x128.onnx', (1, 128, 128, 3)),
    'BlazeFace256': ('models/face_detection_back_256x256.onnx', (1, 256, 256, 3)),
    'TextDirection': ('ocr-models/ch_ppocr_mobile_v2.0_cls_infer.onnx', (1, 3, 48, 192)),
    'TextRecognition': ('ocr-models/ch_PP-OCRv4_rec_infer.onnx', (1, 3, 48, 320)),
    'TextDetection': ('ocr-models/ch_PP-OCRv4_det_infer.onnx', (1, 3, 320, 320)),
}


def noise(shape):
    return np.random.default_rng(5).uniform(-1, 1, shape).astype(np.float32)


def strokes(shape):
    """The page of tests/backends/gpu/zoo.cc: lines of strokes over faint noise."""
    y, x = np.mgrid[:shape[2], :shape[3]]
    stroke = (y // 24 % 3 == 1) & (x // 4 % 3 == 0) & (x > 40) & (x < 280)
    return (np.where(stroke, -1, 1) + 0.02 * noise(shape)).astype(np.float32)


def session(model, **options):
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    settings.log_severity_level = 3
    for key, value in options.items():
        setattr(settings, key, value)
    return onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=['CPUExecutionProvider'])


def folded(path, shape):
    """The model with fixed input and batch normalisations in the weights, as every implementation computes it."""
    model = onnx.load(os.path.join(DATA, path))
    for dim, size in zip(model.graph.input[0].type.tensor_type.shape.dim, shape):
        dim.dim_value = size
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, 'model.onnx')
        session(model, graph_optimization_level=onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC, optimized_model_filepath=file)
        return onnx.shape_inference.infer_shapes(onnx.load(file))


def rounded(model, activations):
    """A copy whose weights, and on demand what its operators hand on, went through float16."""
    out = onnx.ModelProto()
    out.CopyFrom(model)
    for tensor in out.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = np.clip(numpy_helper.to_array(tensor), -65504, 65504).astype(np.float16).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    if not activations:
        return out
    floats = {value.name for value in model.graph.value_info if value.type.tensor_type.elem_type == TensorProto.FLOAT}
    del out.graph.node[:]
    for node in model.graph.node:
        copy = out.graph.node.add()
        copy.CopyFrom(node)
        copy.input[:] = [name + '.rounded' if name in floats else name for name in node.input]
        for name in set(node.output) & floats:
            out.graph.node.append(helper.make_node('Cast', [name], [name + '.half'], to=TensorProto.FLOAT16))
            out.graph.node.append(helper.make_node('Cast', [name + '.half'], [name + '.rounded'], to=TensorProto.FLOAT))
    return out


def error(model, reference, picture):
    ours, exact = (run.run(None, {run.get_inputs()[0].name: picture}) for run in (session(model), session(reference)))
    return max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(ours, exact))


def main():
    parser = argparse.ArgumentParser(description='what float16 storage alone costs')
    parser.add_argument('--only', choices=MODELS, help='this model alone')
    only = parser.parse_args().only
    print(f"{'model':16} {'input':8} {'weights':>9} {'and tensors':>12}")
    for name, (path, shape) in MODELS.items():
        if only and name != only:
            continue
        reference = folded(path, shape)
        for picture in (noise, strokes) if name == 'TextDetection' else (noise,):
            errors = [error(rounded(reference, activations), reference, picture(shape)) for activations in (False, True)]
            print(f'{name:16} {picture.__name__:8} {errors[0]:9.4f} {errors[1]:12.4f}')


if __name__ == '__main__':
    main()
