"""ONNX files of a few hundred bytes, written without any package: y = x * W."""
import io
import struct
import zipfile


def varint(number):
    out = b''
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    """A varint, or a length and bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def value_info(name, dims):
    shape = b''.join(field(1, field(2, d) if isinstance(d, str) else field(1, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


def matmul_model(rows, inner=4, columns=2):
    """`rows`: a number, or the name of a dimension that is left open."""
    weights = struct.pack(f'<{inner * columns}f', *range(inner * columns))
    tensor = field(1, inner) + field(1, columns) + field(2, 1) + field(8, 'W') + field(9, weights)
    node = field(1, 'x') + field(1, 'W') + field(2, 'y') + field(3, 'product') + field(4, 'MatMul')
    graph = (field(1, node) + field(2, 'tiny') + field(5, tensor) + field(11, value_info('x', (1, rows, inner))) +
             field(12, value_info('y', (1, rows, columns))))
    return field(1, 8) + field(8, field(1, '') + field(2, 13)) + field(7, graph)


def external_model(place):
    """y = x + W, whose four numbers lie in the file `place` beside the model."""
    tensor = (field(1, 4) + field(2, 1) + field(8, 'W') + field(13, field(1, 'location') + field(2, place)) + field(14, 1))
    node = field(1, 'x') + field(1, 'W') + field(2, 'y') + field(3, 'sum') + field(4, 'Add')
    graph = (field(1, node) + field(2, 'tiny') + field(5, tensor) + field(11, value_info('x', (1, 4))) +
             field(12, value_info('y', (1, 4))))
    return field(1, 8) + field(8, field(1, '') + field(2, 13)) + field(7, graph)


def chain_model(kinds, dims):
    """y = the last of `kinds` of ... of the first of x: operators of one input and the same shape; nodes n_KIND."""
    names = ['x'] + [f'v{i}' for i in range(1, len(kinds))] + ['y']
    nodes = b''.join(field(1, field(1, a) + field(2, b) + field(3, 'n_' + kind) + field(4, kind))
                     for a, b, kind in zip(names, names[1:], kinds))
    graph = nodes + field(2, 'chain') + field(11, value_info('x', dims)) + field(12, value_info('y', dims))
    return field(1, 8) + field(8, field(1, '') + field(2, 13)) + field(7, graph)


def scalar_model():
    """y = x + sum(x), whose sum is a tensor without dimensions and whose type the file does not give."""
    def node(kind, inputs, output, *attributes):
        return (b''.join(field(1, name) for name in inputs) + field(2, output) + field(3, kind) + field(4, kind) +
                b''.join(field(5, attribute) for attribute in attributes))
    keep = field(1, 'keepdims') + field(3, 0) + field(20, 2)
    graph = (field(1, node('ReduceSum', ['x'], 's', keep)) + field(1, node('Add', ['x', 's'], 'y')) + field(2, 'tiny') +
             field(11, value_info('x', (1, 4))) + field(12, value_info('y', (1, 4))))
    return field(1, 8) + field(8, field(1, '') + field(2, 13)) + field(7, graph)


def unary_model(*kinds, dims=(1, 1, 4, 4)):
    """y = ...kinds[1](kinds[0](x)): operators without attributes, named like their kinds."""
    names = ['x'] + [f't{i}' for i in range(len(kinds) - 1)] + ['y']
    nodes = b''.join(field(1, field(1, names[i]) + field(2, names[i + 1]) + field(3, kind) + field(4, kind))
                     for i, kind in enumerate(kinds))
    graph = nodes + field(2, 'tiny') + field(11, value_info('x', dims)) + field(12, value_info('y', dims))
    return field(1, 8) + field(8, field(1, '') + field(2, 13)) + field(7, graph)


def npz(**arrays):
    """An .npz of float32 arrays: name = (shape, numbers)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w') as target:
        for name, (shape, numbers) in arrays.items():
            head = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }" % (tuple(shape),)
            head = head.ljust(118 - 1) + '\n'
            target.writestr(name + '.npy', b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode() +
                            struct.pack(f'<{len(numbers)}f', *numbers))
    return out.getvalue()
