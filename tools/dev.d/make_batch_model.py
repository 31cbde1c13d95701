#!/usr/bin/env python3
"""make_batch_model.py IN OUT: gives BlazeFace (opset 11 or later) a symbolic batch dimension named N.

Edits the protobuf wire format with the standard library alone:
  * the first dimension of each graph input and output becomes 'N';
  * Reshape targets [1, ...] become [0, ...], which keeps the batch;
  * a Concat with a ConstantOfShape of zeros, which fixes the batch, becomes a Pad of the channels;
  * value_info, true only for one picture, is dropped.
"""
import struct
import sys

# Field numbers of onnx.proto.
MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_INIT, GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_VALUE_INFO = 1, 5, 11, 12, 13
NODE_INPUT, NODE_OUTPUT, NODE_NAME, NODE_OP = 1, 2, 3, 4
TENSOR_DIMS, TENSOR_TYPE, TENSOR_INT64, TENSOR_NAME, TENSOR_RAW = 1, 2, 7, 8, 9
INT64 = 7


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def varint(value):
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def parse(data):
    """[(field, wire type, value)]; nested messages stay bytes."""
    at, fields = 0, []
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = read_varint(data, at)
        else:
            size, at = read_varint(data, at) if kind == 2 else ({5: 4, 1: 8}[kind], at)
            value = data[at:at + size]
            at += size
        fields.append((key >> 3, kind, value))
    return fields


def build(fields):
    out = bytearray()
    for number, kind, value in fields:
        out += varint(number << 3 | kind)
        if kind == 0:
            out += varint(value)
        else:
            out += (varint(len(value)) if kind == 2 else b'') + value
    return bytes(out)


def text(value):
    return (2, value.encode())


def of(fields, number):
    return [value for field, _, value in fields if field == number]


def ints(tensor):
    """The values of an int64 initializer, packed or raw."""
    raw = b''.join(of(tensor, TENSOR_RAW))
    if raw:
        return list(struct.unpack(f'<{len(raw) // 8}q', raw))
    values = []
    for field, kind, value in tensor:
        if field == TENSOR_INT64:
            packed = [value] if kind == 0 else []
            at = 0
            while kind == 2 and at < len(value):
                item, at = read_varint(value, at)
                packed.append(item)
            values += [v - (1 << 64) if v >> 63 else v for v in packed]
    return values


def int_tensor(name, values):
    return build([(TENSOR_DIMS, 0, len(values)), (TENSOR_TYPE, 0, INT64), (TENSOR_NAME, *text(name)),
                  (TENSOR_RAW, 2, struct.pack(f'<{len(values)}q', *values))])


def edit_first(fields, number, change):
    """Applies change to the first field with that number."""
    for at, (field, kind, value) in enumerate(fields):
        if field == number:
            fields[at] = (field, kind, change(value))
            break
    return fields


def symbolic_batch(value_info):
    def shape(data):
        return build(edit_first(parse(data), 1, lambda _: build([(2, *text('N'))])))
    def tensor(data):
        return build(edit_first(parse(data), 2, shape))
    def type_proto(data):
        return build(edit_first(parse(data), 1, tensor))
    return build(edit_first(parse(value_info), 2, type_proto))


def names(node, number):
    return [value.decode() for value in of(node, number)]


def edit_graph(graph):
    fields = parse(graph)
    nodes = [parse(value) for value in of(fields, GRAPH_NODE)]
    inits = {names(t, TENSOR_NAME)[0]: t for t in map(parse, of(fields, GRAPH_INIT))}
    op = lambda node: names(node, NODE_OP)[0]
    zeros = {names(n, NODE_OUTPUT)[0]: ints(inits[names(n, NODE_INPUT)[0]]) for n in nodes if op(n) == 'ConstantOfShape'}
    dropped = {names(n, NODE_INPUT)[0] for n in nodes if op(n) == 'ConstantOfShape'}
    reshaped = {names(n, NODE_INPUT)[1] for n in nodes if op(n) == 'Reshape'}

    out, pads = [], {}
    for node in nodes:
        inputs = names(node, NODE_INPUT)
        if op(node) == 'ConstantOfShape':
            continue
        if op(node) == 'Concat' and len(inputs) == 2 and inputs[1] in zeros:
            channels = zeros[inputs[1]][1]
            pads[f'pad_{channels}_channels'] = [0, 0, 0, 0, 0, channels, 0, 0]
            node = ([(NODE_INPUT, *text(inputs[0])), (NODE_INPUT, *text(f'pad_{channels}_channels'))] +
                    [f for f in node if f[0] in (NODE_OUTPUT, NODE_NAME)] + [(NODE_OP, *text('Pad'))])
        out.append((GRAPH_NODE, 2, build(node)))
    for field, kind, value in fields:
        if field == GRAPH_INIT:
            tensor = parse(value)
            name = names(tensor, TENSOR_NAME)[0]
            if name in dropped:
                continue
            if name in reshaped:
                value = int_tensor(name, [0] + ints(tensor)[1:])
        elif field in (GRAPH_INPUT, GRAPH_OUTPUT):
            value = symbolic_batch(value)
        elif field in (GRAPH_NODE, GRAPH_VALUE_INFO):
            continue
        out.append((field, kind, value))
    out += [(GRAPH_INIT, 2, int_tensor(name, values)) for name, values in sorted(pads.items())]
    return build(out)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.splitlines()[0])
    with open(sys.argv[1], 'rb') as source:
        model = parse(source.read())
    with open(sys.argv[2], 'wb') as target:
        target.write(build(edit_first(model, MODEL_GRAPH, edit_graph)))


if __name__ == '__main__':
    main()
