// YOLO detection heads as the usual exporters write them: v5 (and v7) with objectness, v8 (v9, v11) without.
#pragma once

#include "nodes/decoders/decoder.h"

namespace sluice {

// One output of n boxes with c channels, [1,n,c] or [1,c,n]: x and y of the centre, width and height in
// pixels of the model's input, then (v5) the objectness, then one probability per class. The score is the
// best class's probability, times the objectness where there is one.
//
// Which dimension is c and whether it holds an objectness follows from `label_count` (the number of class
// names, 0 when unknown): c is 4 or 5 more. Without names, c is the smaller dimension, and the number of
// boxes tells: v8 has one per cell of strides 8, 16, 32 (and 64), v5 three. For another number the order of
// the dimensions tells: [1,n,c] is v5, [1,c,n] is v8. Fails (kInvalid) for other shapes.
Result<DecoderPtr> make_yolo(std::span<const TensorType> types, std::size_t label_count);

}  // namespace sluice
