"""Detections against TensorFlow Lite Micro, and two boxes by hand."""

from __future__ import annotations

import numpy as np
import pytest

from builder.engines import TFLiteMicro
from container.errors import CompileError, TrapError
from examples.tflite_writer import Graph, Option
from tests.builder.model_runs import model_pipeline, run_ours
from tests.builder.support import Array, container_of

OPTIONS: dict[str, Option] = {
    "max_classes_per_detection": 1,
    "nms_score_threshold": 0.2,
    "nms_iou_threshold": 0.5,
    "y_scale": 10.0,
    "x_scale": 10.0,
    "h_scale": 5.0,
    "w_scale": 5.0,
}


def add(graph: Graph, anchors: Array, columns: int, most: int, **options: Option) -> None:
    boxes = len(anchors)
    inputs = [graph.input("codes", (1, boxes, 4), "float32")]
    inputs.append(graph.input("scores", (1, boxes, columns), "float32"))
    inputs.append(graph.constant("anchors", anchors.astype("float32")))
    shapes = [(1, most, 4), (1, most), (1, most), (1,)]
    outputs = [graph.tensor("found", shape, "float32") for shape in shapes]
    name = "CUSTOM:TFLite_Detection_PostProcess"
    graph.operator(name, inputs, outputs, **{**OPTIONS, "max_detections": most, **options})
    for output in outputs:
        graph.output(output)


def random_anchors(generator: np.random.Generator, count: int) -> Array:
    return np.concatenate([generator.uniform(0, 1, (count, 2)), generator.uniform(0.1, 0.5, (count, 2))], 1)


def test_as_the_reference() -> None:
    """Few and many detections; with a background class and without; scores that are equal, too."""
    generator, graph = np.random.default_rng(1), Graph("detections")
    add(graph, random_anchors(generator, 12), 4, 5, num_classes=3)
    add(graph, random_anchors(generator, 20), 2, 15, num_classes=2, nms_score_threshold=0.8)
    add(
        graph,
        random_anchors(generator, 25),
        5,
        6,
        num_classes=4,
        use_regular_nms=True,
        detections_per_class=3,
    )
    add(graph, random_anchors(generator, 15), 3, 40, num_classes=3, use_regular_nms=True)
    shapes = [graph.tensors[number].shape for number in graph.inputs]
    samples = []
    for digits in (7, 1, 7, 1):
        sample = [generator.normal(0, 1, shape) for shape in shapes]
        sample[1::2] = [np.round(generator.uniform(0, 1, shape), digits) for shape in shapes[1::2]]
        samples.append([values.astype("float32") for values in sample])
    model = graph.to_bytes()
    expected = TFLiteMicro().run(model, samples)
    for profile, results in run_ours(model, samples).items():
        for ours, theirs in zip(results, expected, strict=True):
            for first in range(0, 16, 4):
                count = int(theirs[first + 3].reshape(-1)[0])
                assert int(ours[first + 3].reshape(-1)[0]) == count
                for output in range(first, first + 3):
                    found, wanted = (values[output][0][:count] for values in (ours, theirs))
                    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6, err_msg=str(profile))


def two_boxes() -> tuple[Graph, list[Array]]:
    """Squares of side 2 around (1, 1) and (1, 1.5), which share 3 of 5, and their scores for one class."""
    graph = Graph("two")
    anchors = np.array([[1, 1, 2, 2], [1, 1.5, 2, 2]])
    add(graph, anchors, 1, 3, num_classes=1)
    return graph, [np.zeros((1, 2, 4), "float32"), np.array([[[0.5], [0.75]]], "float32")]


def test_of_two_boxes_that_overlap_the_better_one_stays() -> None:
    graph, sample = two_boxes()
    for results in run_ours(graph.to_bytes(), [sample]).values():
        boxes, classes, scores, count = results[0]
        assert boxes[0].tolist() == [[0.0, 0.5, 2.0, 2.5], [0.0] * 4, [0.0] * 4]
        assert (classes[0].tolist(), scores[0].tolist()) == ([0.0] * 3, [0.75, 0.0, 0.0])
        assert count.tolist() == [1.0]


def test_a_box_without_area_ends_the_run() -> None:
    graph, (codes, scores) = two_boxes()
    codes[0, 0, 2] = -10_000.0  # exp of it is 0
    with pytest.raises(TrapError, match="a value is outside of what the stage accepts"):
        run_ours(graph.to_bytes(), [[codes, scores]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"nms_iou_threshold": 0.0},
            "its option `nms_iou_threshold` is 0.0, expected more than 0, at most 1",
        ),
        ({"max_classes_per_detection": 2}, "`max_classes_per_detection` is 2, expected 1 to 1"),
        ({"num_classes": 5}, "its option `num_classes` is 5, expected 1 to 1"),
        ({"y_scale": 0.0}, "its option `y_scale` is 0.0"),
        ({"max_detections": 4}, "output 'found' is float32[1, 3, 4], expected float32[1, 4, 4]"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Option], message: str) -> None:
    graph = Graph("refused")
    add(graph, np.ones((2, 4)), 1, 3, **{"num_classes": 1, **options})
    with pytest.raises(CompileError) as caught:
        container_of(model_pipeline(graph.to_bytes()))
    assert message in caught.value.message
