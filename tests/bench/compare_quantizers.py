#!/usr/bin/env python3
"""Sluice's quantiser against onnxruntime.quantization with get_qnn_qdq_config: same network, same arrays, same scheme.

  python tests/bench/compare_quantizers.py [--build build/release] [--only NAME] [--keep DIR]

Run it with an environment that has onnxruntime, onnx and numpy (tools/dev bench quantizers makes one in the cache).
Prints a table: SNR of the outputs on held-out pictures (mean over the outputs, in dB), and what each took by the clock
and in processor time (all threads; the one to look at where others use the machine).
Exit 1 when Sluice is more than 0.1 dB behind anywhere.
"""
import argparse
import contextlib
import io
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnx.version_converter
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize
from onnxruntime.quantization.execution_providers.qnn import get_qnn_qdq_config, qnn_preprocess_model

CALIBRATION, HELD_OUT = 24, 24
WORST_DB = -0.1
OPSET = 21

# Name: file, input shape (None: as in the file), how pixels become numbers.
MODELS = {
    'blazeface128': ('face_detection_front_128x128.onnx', (1, 128, 128, 3), 'nhwc'),
    'blazeface256': ('face_detection_back_256x256.onnx', (1, 256, 256, 3), 'nhwc'),
    'ppocr_det': ('ch_PP-OCRv4_det_infer.onnx', (1, 3, 320, 320), 'nchw'),
    'ppocr_rec': ('ch_PP-OCRv4_rec_infer.onnx', (1, 3, 48, 320), 'nchw'),
    'ppocr_cls': ('ch_ppocr_mobile_v2.0_cls_infer.onnx', (1, 3, 48, 192), 'nchw'),
}
# Ours, theirs: activation and weight type, per channel.
SCHEMES = {
    'w8a8': (['--scheme', 'w8a8'], QuantType.QUInt8, QuantType.QInt8, True),
    'w8a16': (['--scheme', 'w8a16'], QuantType.QUInt16, QuantType.QInt8, True),
    'w8a8 per tensor': (['--scheme', 'w8a8', '--per-tensor'], QuantType.QUInt8, QuantType.QInt8, False),
    'w8a16 per tensor': (['--scheme', 'w8a16', '--per-tensor'], QuantType.QUInt16, QuantType.QInt8, False),
}
EQUALISED = {'w8a8 per tensor': ['--equalize']}


def frames(path, width, height, count, offset):
    """`count` pictures as arrays of height x width x 3, spread over a video from `offset` frames on."""
    scale = f'scale={width}:{height}:force_original_aspect_ratio=decrease,pad={width}:{height}:-1:-1'
    select = f"select='eq(mod(n-{offset}\\,10)\\,0)*gte(n\\,{offset})'"
    raw = subprocess.run(['ffmpeg', '-nostdin', '-v', 'error', '-i', path, '-vf', f'{select},{scale}', '-vsync', '0',
                          '-frames:v', str(count), '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'],
                         capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def pictures(data, width, height):
    """Two sets without a common picture: photographs and every 10th frame, and other photographs and other frames."""
    faces = sorted(name for name in os.listdir(f'{data}/dlib-faces') if name.endswith('.jpg'))
    photos = [frames(f'{data}/dlib-faces/{name}', width, height, 1, 0)[0] for name in faces]
    movie = f'{data}/videos/movie-hello.mp4'
    half = len(photos) // 2
    calibration = [*photos[:half], *frames(movie, width, height, CALIBRATION - half, 0)]
    held_out = [*photos[half:], *frames(movie, width, height, HELD_OUT - (len(photos) - half), 5)]
    return np.stack(calibration), np.stack(held_out)


def arrays(data, shape, layout):
    height, width = (shape[1], shape[2]) if layout == 'nhwc' else (shape[2], shape[3])
    out = []
    for pixels in pictures(data, width, height):
        x = pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)
        out.append(np.ascontiguousarray(x if layout == 'nhwc' else x.transpose(0, 3, 1, 2)))
    return out


class Reader(CalibrationDataReader):
    def __init__(self, name, samples):
        self.items = iter([{name: sample[None]} for sample in samples])

    def get_next(self):
        return next(self.items, None)


def session(path, level=onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL, save=None):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    # Without it int8 weights saturate in between on CPUs without VNNI (sluice's cpu backend sets it too).
    options.add_session_config_entry('session.x64quantprecision', '1')
    options.graph_optimization_level = level
    if save:
        options.optimized_model_filepath = save
    return onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])


def run(path, samples):
    model = session(path)
    name = model.get_inputs()[0].name
    return [model.run(None, {name: sample[None]}) for sample in samples]


def snr(reference, values):
    """Mean over the outputs of the signal-to-noise ratio over all samples, in dB."""
    ratios = []
    for output in range(len(reference[0])):
        signal = sum(float(np.sum(r[output].astype(np.float64) ** 2)) for r in reference)
        noise = sum(float(np.sum((r[output].astype(np.float64) - v[output]) ** 2)) for r, v in zip(reference, values))
        ratios.append(10 * np.log10(signal / max(noise, 1e-30)))
    return float(np.mean(ratios))


def make_static(source, shape, target):
    """The network as the usual tool needs it: a fixed shape, folded constants, an operator set with 16-bit integers."""
    model = onnx.load(source)
    for dim, size in zip(model.graph.input[0].type.tensor_type.shape.dim, shape):
        dim.dim_value = size
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField('shape')
    onnx.save(model, target)
    session(target, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC, save=target + '.basic')
    model = onnx.load(target + '.basic')
    opset = next(o for o in model.opset_import if o.domain in ('', 'ai.onnx'))
    del model.opset_import[:]
    model.opset_import.append(opset)
    model = onnx.version_converter.convert_version(model, OPSET)
    model.ir_version = 10
    onnx.save(model, target)


def processor_s():
    """Of this process and of the children that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def timed(work, *arguments):
    """Seconds by the clock and of the processor."""
    start, used = time.perf_counter(), processor_s()
    work(*arguments)
    return time.perf_counter() - start, processor_s() - used


def usual(network, samples, scheme, target):
    _, activation, weight, per_channel = SCHEMES[scheme]
    with contextlib.redirect_stdout(io.StringIO()):
        prepared = target + '.pre.onnx'
        changed = qnn_preprocess_model(network, prepared)
        source = prepared if changed else network
        name = onnx.load(source).graph.input[0].name
        config = get_qnn_qdq_config(source, Reader(name, samples), activation_type=activation, weight_type=weight,
                                    per_channel=per_channel)
        quantize(source, target, config)


def ours(sluice, source, shape, npz, arguments, target):
    name = onnx.load(source, load_external_data=False).graph.input[0].name
    subprocess.run([sluice, 'quantize', source, '--data', npz, '-o', target, '--force', '--shape',
                    f'{name}=' + 'x'.join(map(str, shape)), *arguments], check=True, stdout=subprocess.DEVNULL)


def compare_model(name, arguments, folder):
    file, shape, layout = MODELS[name]
    source = next(p for p in (f'{arguments.data}/models/{file}', f'{arguments.data}/ocr-models/{file}')
                  if os.path.exists(p))
    calibration, held_out = arrays(arguments.data, shape, layout)
    npz = f'{folder}/{name}.npz'
    np.savez(npz, x=calibration)
    network = f'{folder}/{name}.onnx'
    make_static(source, shape, network)
    reference = run(network, held_out)
    behind = False
    for scheme in SCHEMES:
        theirs_path, ours_path = f'{folder}/{name}.theirs.onnx', f'{folder}/{name}.ours.onnx'
        theirs_s = timed(usual, network, calibration, scheme, theirs_path)
        theirs = snr(reference, run(theirs_path, held_out))
        ways = {'': [], **({' +equalize': EQUALISED[scheme]} if scheme in EQUALISED else {})}
        for way, more in ways.items():
            ours_s = timed(ours, f'{arguments.build}/bin/sluice', source, shape, npz, SCHEMES[scheme][0] + more, ours_path)
            mine = snr(reference, run(ours_path, held_out))
            behind = behind or mine - theirs < WORST_DB
            print(f'{name:14} {scheme + way:26} {theirs:8.2f} {mine:8.2f} {mine - theirs:+8.2f} '
                  f'{theirs_s[0]:8.2f} {ours_s[0]:8.2f} {theirs_s[1]:10.2f} {ours_s[1]:10.2f}', flush=True)
    return behind


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--build', default='build/release')
    parser.add_argument('--data', default='data')
    parser.add_argument('--only', choices=list(MODELS))
    parser.add_argument('--keep', help='folder for the models that are made')
    arguments = parser.parse_args()
    print(f'onnxruntime {onnxruntime.__version__}, {CALIBRATION} pictures to calibrate, {HELD_OUT} held out')
    print(f'{"model":14} {"scheme":26} {"usual dB":>8} {"ours dB":>8} {"gain":>8} {"usual s":>8} {"ours s":>8} '
          f'{"usual cpu":>10} {"ours cpu":>10}')
    behind = False
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or scratch
        os.makedirs(folder, exist_ok=True)
        for name in [arguments.only] if arguments.only else MODELS:
            behind = compare_model(name, arguments, folder) or behind
    return 1 if behind else 0


if __name__ == '__main__':
    sys.exit(main())
