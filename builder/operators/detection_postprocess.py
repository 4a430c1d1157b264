"""TFLite_Detection_PostProcess: from what a single-shot detector computes to the boxes it has found.

A box comes as its centre and size relative to an anchor: centre = code / scale * anchor size + anchor
centre, size = exp(code / scale) * anchor size, in double precision, then rounded to float32.  Of boxes that
overlap by more than `nms_iou_threshold` of their union, the one with the highest score stays: over all
classes together, each box with its best class; or, with `use_regular_nms`, class by class.  Scores below
`nms_score_threshold` do not count.  The results are sorted by score, of equals the first; what is left of
them is 0, where the reference without `use_regular_nms` leaves what was there.

float32 alone, as in the reference.  A box without area ends the run with a failure, as there.
Source: tensorflow/lite/micro/kernels/detection_postprocess.cc.
"""

from __future__ import annotations

import math
from typing import Any

from tvm import relax

from builder import tir
from builder.custom_options import CustomOptions
from builder.operators.base import Kernel, Node, Operator, Unsupported, shape_of
from builder.operators.quantize import float32_bits
from builder.target import Target

DETECTIONS_PER_CLASS = 100
"""Where the options do not say how many of a class are looked for."""
MAXIMUM_DETECTIONS = 1 << 16
CORNERS = 4
"""Number of the result that holds the corners of the boxes."""
SCALES = ("y_scale", "x_scale", "h_scale", "w_scale")


class DetectionPostProcess(Operator):
    name = "detection_postprocess"
    tflite = ("CUSTOM:TFLite_Detection_PostProcess",)

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(("float32",) * 4)
        boxes, columns = _check_inputs(node)
        attributes = _attributes(CustomOptions(node), columns)
        most = int(attributes["most"])
        _check_outputs(node, most)
        floats = [node.output(position).shape for position in range(4)]
        results = [(shape, "float32") for shape in floats]
        # Behind the results what is needed on the way: corners of the boxes, scores, classes and candidates.
        results += [((boxes, 4), "float32"), ((boxes,), "float32"), ((boxes,), "int32"), ((boxes,), "uint8")]
        call = self.call_tuple([node.value(position) for position in range(3)], attributes, results)
        everything = node.emit(call)
        return [node.emit(relax.TupleGetItem(everything, number)) for number in range(4)]

    def lower(self, call: Any, target: Target) -> Kernel:
        _, boxes, codes = shape_of(call.args[0])
        columns = shape_of(call.args[1])[2]
        numbers = [int(call.attrs[name]) for name in ("first", "most", "most_of_class")]
        thresholds = [tir.float32_literal(int(call.attrs[name])) for name in ("least_score", "most_overlap")]

        def body(encoded: Any, table: Any, anchors: Any, *results: Any) -> None:
            found, (decoded, *work) = results[:4], results[4:]
            _decode(call, boxes, (encoded, anchors, decoded))
            addresses = [tir.address(tensor, 0) for tensor in (*found, *work)]
            addresses = [tir.address(table, 0), tir.address(decoded, 0, 0), *addresses]
            arguments = (*addresses, boxes, columns, *numbers, *thresholds)
            failure = tir.Cell("int32", tir.call("int32", "rune_detect", *arguments))
            with tir.when(failure.value != 0):
                tir.fail(failure.value)

        shapes: list[tuple[int, ...]] = [(boxes, codes), (boxes * columns,), (boxes, 4)]
        dtypes = ["float32"] * 3 + [str(kind.dtype) for kind in call.ty.fields]
        for number, kind in enumerate(call.ty.fields):
            shape = tuple(int(size) for size in kind.shape.values)
            shapes.append(shape if number == CORNERS else (math.prod(shape),))
        buffers = [(f"t{number}", *kind) for number, kind in enumerate(zip(shapes, dtypes, strict=True))]
        return Kernel(tir.kernel(buffers, body), call.args)


def _decode(call: Any, boxes: int, buffers: tuple[Any, Any, Any]) -> None:
    """Corners of each box: ymin, xmin, ymax, xmax."""
    encoded, anchors, decoded = buffers
    scales = [
        tir.cast("float64", tir.float32_literal(int(call.attrs[name]))) for name in SCALES
    ]  # y, x, height, width
    with tir.loop(boxes) as i:
        codes = [tir.cast("float64", encoded[i, k]) / scales[k] for k in range(4)]
        anchor = [tir.cast("float64", anchors[i, k]) for k in range(4)]
        for axis in range(2):
            size = anchor[axis + 2]
            centre = tir.Cell("float32", tir.cast("float32", codes[axis] * size + anchor[axis]))
            grown = tir.call("float64", "exp", codes[axis + 2])
            half = tir.Cell("float32", tir.cast("float32", tir.literal("float64", 0.5) * grown * size))
            tir.store(decoded, (i, axis), centre.value - half.value)
            tir.store(decoded, (i, axis + 2), centre.value + half.value)


def _check_inputs(node: Node) -> tuple[int, int]:
    """How many boxes there are, and how many scores each has.  Raises Unsupported."""
    codes, scores, anchors = (node.input(position).shape for position in range(3))
    fits = len(codes) == len(scores) == 3 and codes[0] == 1 and codes[2] >= 4 and min(*codes, *scores) > 0
    if not fits or scores[:2] != codes[:2] or anchors != (codes[1], 4):
        raise Unsupported(f"codes {list(codes)}, scores {list(scores)} and anchors {list(anchors)}")
    return codes[1], scores[2]


def _check_outputs(node: Node, most: int) -> None:
    for position, expected in enumerate([(1, most, 4), (1, most), (1, most), (1,)]):
        tensor = node.output(position)
        if tensor.dtype != "float32" or math.prod(tensor.shape) != math.prod(expected):
            found = f"{tensor.dtype}{list(tensor.shape)}"
            raise Unsupported(
                f"output {tensor.name!r} is {found}, expected float32{list(expected)}",
                hint="export the model with fixed shapes for its detections",
            )


def _attributes(options: CustomOptions, columns: int) -> dict[str, int | str]:
    classes = options.integer("num_classes", max(1, columns - 1), columns)
    most_overlap = options.real("nms_iou_threshold")
    if not 0.0 < most_overlap <= 1.0:
        raise Unsupported(
            f"its option `nms_iou_threshold` is {most_overlap}, expected more than 0, at most 1"
        )
    attributes: dict[str, int | str] = {
        "first": columns - classes,
        "most": options.integer("max_detections", 1, MAXIMUM_DETECTIONS),
        "most_of_class": 0,
        "least_score": float32_bits(options.real("nms_score_threshold")),
        "most_overlap": float32_bits(most_overlap),
    }
    if options.flag("use_regular_nms", default=False):
        most = options.integer("detections_per_class", 1, MAXIMUM_DETECTIONS, DETECTIONS_PER_CLASS)
        attributes["most_of_class"] = most
    else:
        options.integer("max_classes_per_detection", 1, 1)
    for name in SCALES:
        scale = options.real(name)
        if scale == 0.0 or not math.isfinite(scale):
            raise Unsupported(f"its option `{name}` is {scale}")
        attributes[name] = float32_bits(scale)
    return attributes
