"""The checker: names, graph, resources, types, and the pipeline that comes out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import runefile
from container.errors import CompileError, ExitCode, RunefileError
from container.manifest import OutputReference, StageKind, StageRecord
from container.tensors import Quantization
from runefile.check import CheckResult, check, load
from runefile.diagnostics import Code, Severity, render_all
from runefile.flow import block_name, reshaped
from runefile.pipeline import TypedPipeline
from tests.runefile.fakes import MODELS, FakeCatalog, read_model, tensor


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in MODELS:
        (tmp_path / f"{name.decode()}.tflite").write_bytes(name)
    (tmp_path / "identity").mkdir()
    (tmp_path / "broken.py").write_text("broken")
    (tmp_path / "corrupt.tflite").write_bytes(b"nothing of the kind")
    (tmp_path / "labels.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    return tmp_path


def lines(*statements: str) -> str:
    """A text Runefile of these statements."""
    return "".join(f"{statement}\n" for statement in ("FROM a", *statements))


def checked(text: str, folder: Path) -> CheckResult:
    parsed = runefile.parse(text)
    assert parsed.document is not None, render_all(parsed.diagnostics, parsed.source)
    return check(
        parsed.document,
        directory=folder,
        name="test",
        blocks=FakeCatalog(),
        models=read_model,
        found=parsed.diagnostics,
    )


def pipeline(text: str, folder: Path) -> TypedPipeline:
    result = checked(text, folder)
    assert result.pipeline is not None, render_all(result.diagnostics, result.source)
    assert result.diagnostics == ()
    return result.pipeline


def faults(text: str, folder: Path) -> list[tuple[Code, str]]:
    """The codes of what is wrong, and what the carets stand below."""
    result = checked(text, folder)
    assert result.pipeline is None
    return [(fault.code, text[fault.span.start : fault.span.end]) for fault in result.diagnostics]


def the_fault(text: str, folder: Path) -> tuple[str, str | None]:
    """Message and hint of the only thing that is wrong."""
    [fault] = checked(text, folder).diagnostics
    return fault.message, fault.hint


KEYWORDS = """\
FROM a
CAPABILITY<I8[1960]> features RAW
MODEL<_,_> model ./microspeech.tflite
PROC_BLOCK<_,F32[6]> real dequantize
PROC_BLOCK<I8[6],_> best most-confident_indices
PROC_BLOCK<_,_> word hotg-ai/rune#proc-blocks/label --wordlist=silence,unknown,up,down,left,right
OUT serial
OUT serial debug
RUN features model best word serial
RUN model real
RUN (real, model) debug
"""


def test_the_typed_pipeline(folder: Path) -> None:
    found = pipeline(KEYWORDS, folder)
    scores = tensor("i8", 1, 6, scale=1 / 256, zero_point=-128)
    assert found.name == "test"
    assert found.stages == (
        StageRecord(
            "features",
            StageKind.CAPABILITY,
            "RAW",
            # The model's quantisation says what the bytes mean.
            outputs=(tensor("i8", 1960, scale=0.1, zero_point=-128),),
            port=0,
        ),
        StageRecord(
            "model",
            StageKind.MODEL,
            "./microspeech.tflite",
            (OutputReference("features", 0),),
            (tensor("i8", 1, 1960, scale=0.1, zero_point=-128),),
            (scores,),
            ("out0",),
        ),
        StageRecord(
            "real",
            StageKind.PROC_BLOCK,
            "dequantize",
            (OutputReference("model", 0),),
            (scores,),
            (tensor("f32", 6),),
        ),
        StageRecord(
            "best",
            StageKind.PROC_BLOCK,
            "most_confident_indices",
            (OutputReference("model", 0),),
            # In the shape that the block declares.
            (reshaped(scores, (6,)),),
            (tensor("u32", 1),),
            arguments={"count": 1},
        ),
        StageRecord(
            "word",
            StageKind.PROC_BLOCK,
            "label",
            (OutputReference("best", 0),),
            (tensor("u32", 1),),
            (tensor("utf8", 1, width=7),),
            arguments={"labels": ("silence", "unknown", "up", "down", "left", "right")},
        ),
        StageRecord(
            "serial",
            StageKind.OUT,
            "SERIAL",
            (OutputReference("word", 0),),
            (tensor("utf8", 1, width=7),),
            port=0,
        ),
        StageRecord(
            "debug",
            StageKind.OUT,
            "SERIAL",
            (OutputReference("real", 0), OutputReference("model", 0)),
            (tensor("f32", 6), scores),
            port=1,
        ),
    )
    assert found.models["model"].data == b"microspeech"
    assert found.models["model"].file == "./microspeech.tflite"
    assert found.models["model"].format == "tensorflow-lite"
    assert found.blocks["word"].name == "label"


def test_stages_come_after_their_inputs_else_as_declared(folder: Path) -> None:
    text = """\
FROM a
OUT serial z
PROC_BLOCK<_,_> y normalize
CAPABILITY<F32> b RAND
CAPABILITY<F32> a RAND
OUT serial x
RUN a y z
RUN b x
"""
    found = pipeline(text, folder)
    assert [stage.name for stage in found.stages] == ["b", "a", "y", "z", "x"]
    assert {stage.name: stage.port for stage in found.stages} == {"b": 0, "a": 1, "y": None, "z": 0, "x": 1}


def test_outputs_count_their_inputs(folder: Path) -> None:
    text = "FROM a\nCAPABILITY<F32> a RAND\nOUT serial x\nOUT serial y\nRUN (a, a) x\nRUN a y\n"
    assert [stage.port for stage in pipeline(text, folder).stages] == [0, 0, 2]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("modulo", "modulo"),
        ("hotg-ai/proc-blocks@v0.11.3#fft", "fft"),
        ("hotg-ai/rune#proc-blocks/most_confident_indices", "most_confident_indices"),
        ("hotg-ai/modulo@v1", "modulo"),
        ("a/b/", "b"),
    ],
)
def test_the_last_segment_names_the_block(path: str, name: str) -> None:
    assert block_name(path) == name


# Names and graph

_GRAPH = lines(
    "CAPABILITY<F32> rand RAND", "OUT serial", "PROC_BLOCK<_,_> b normalize", "PROC_BLOCK<_,_> c normalize"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (_GRAPH + "RUN rand b c serial\nOUT serial\n", [(Code.DUPLICATE_NAME, "serial")]),
        (_GRAPH + "RUN rnd b c serial\n", [(Code.UNREACHABLE, "rand"), (Code.UNKNOWN_NAME, "rnd")]),
        (_GRAPH + "RUN rand b serial\n", [(Code.NO_INPUT, "c"), (Code.UNREACHABLE, "c")]),
        (
            _GRAPH + "RUN rand b c\n",
            [(Code.NO_INPUT, "serial"), (Code.UNREACHABLE, "c")],
        ),
        (_GRAPH + "RUN rand b c b\nRUN c serial\n", [(Code.CYCLE, "c")]),
        (_GRAPH + "RUN rand b serial\nRUN serial c serial\n", [(Code.UNKNOWN_OUTPUT, "serial")]),
        (_GRAPH + "RUN rand b.1 c serial\n", [(Code.UNKNOWN_OUTPUT, "b.1")]),
        (_GRAPH + "RUN rand b.x c serial\n", [(Code.UNKNOWN_OUTPUT, "b.x")]),
        ("FROM a\nCAPABILITY<F32> rand RAND\n", [(Code.NO_OUTPUT, "FROM a")]),
        (
            "FROM a\nCAPABILITY<F32> rand RND\nOUT serail\nRUN rand serail\n",
            [(Code.UNKNOWN_KIND, "RND"), (Code.UNKNOWN_KIND, "serail")],
        ),
        (
            "FROM a\nCAPABILITY<F32> r RAND\nPROC_BLOCK<_,_> b nrmalize\nOUT serial\nRUN r b serial\n",
            [(Code.UNKNOWN_BLOCK, "nrmalize")],
        ),
    ],
)
def test_the_graph(text: str, expected: list[tuple[Code, str]], folder: Path) -> None:
    assert sorted(faults(text, folder)) == sorted(expected)


def test_a_cycle_is_named_whole(folder: Path) -> None:
    message, _ = the_fault(_GRAPH + "RUN rand b c b\nRUN c serial\n", folder)
    assert message == (
        'Cycle detected when checking "b", which passes data to "c", which passes data to "b", '
        "completing the cycle."
    )


def test_each_cycle_is_named_once(folder: Path) -> None:
    text = _GRAPH + "PROC_BLOCK<_,_> d normalize\nRUN b b\nRUN c d c\nRUN rand serial\nRUN (b, c, d) serial\n"
    cycles = [place for code, place in faults(text, folder) if code is Code.CYCLE]
    assert cycles == ["b", "d"]


def test_near_names_are_suggested(folder: Path) -> None:
    _, hint = the_fault(
        "FROM a\nCAPABILITY<F32> rand RAND\nOUT serial\nRUN rnad serial\nRUN rand serial\n", folder
    )
    assert hint == 'did you mean "rand"?'


def test_an_output_is_said_where_there_are_several(folder: Path) -> None:
    text = lines(
        "CAPABILITY<F32[4]> x RAND", "MODEL<_,_> m ./detector.tflite", "OUT serial", "RUN x m serial"
    )
    message, hint = the_fault(text, folder)
    assert message == '"m" has 2 outputs: say which'
    assert hint == "write m.out0 or m.out1"


@pytest.mark.parametrize("pick", ["1", "out1"])
def test_outputs_are_picked_by_number_and_by_name(pick: str, folder: Path) -> None:
    text = lines(
        "CAPABILITY<F32[4]> x RAND", "MODEL<_,_> m ./detector.tflite", "OUT serial", f"RUN x m.{pick} serial"
    )
    serial = pipeline(text, folder).stages[-1]
    assert serial.inputs == (OutputReference("m", 1),)
    assert serial.input_types == (tensor("f32", 1, 2),)


def test_names_in_the_runefile_go_before_those_of_the_model(folder: Path) -> None:
    text = lines(
        "CAPABILITY<F32[4]> x RAND",
        "MODEL<_,(scores:_,_)> m ./detector.tflite",
        "OUT serial",
        "RUN x m",
        "RUN (m.scores, m.out1) serial",
    )
    model = pipeline(text, folder).stages[1]
    assert model.output_names == ("scores", "out1")
    twice = text.replace("(scores:_,_)", "(scores:_,scores:_)").replace("m.out1", "m.1")
    assert (Code.DUPLICATE_NAME, "_") in faults(twice, folder)


# Types

_SINE = lines(
    "CAPABILITY<{given}> x RAND", "MODEL<{takes},{gives}> m ./sine.tflite", "OUT serial", "RUN x m serial"
)


@pytest.mark.parametrize("written", ["F32", "f32[1,1]", "F32[1,1,1]", "F32[]", "_"])
def test_shapes_agree_but_for_dimensions_of_one(written: str, folder: Path) -> None:
    text = _SINE.format(given=written, takes=written, gives=written)
    assert [stage.name for stage in pipeline(text, folder).stages] == ["x", "m", "serial"]


@pytest.mark.parametrize(
    ("given", "takes", "gives", "places"),
    [
        ("F32[2]", "_", "_", ["x"]),
        ("F32[2]", "F32[2]", "_", ["F32[2]"]),
        ("F32[2]", "F32", "_", ["x"]),
        ("F32[2]", "F32[3]", "_", ["F32[3]", "x"]),
        ("I8", "_", "_", ["x"]),
        ("F32", "I8", "_", ["I8"]),
        ("F32", "F32", "F32[4]", ["F32[4]"]),
        ("F32", "F64", "F64", ["F64", "F64"]),
    ],
)
def test_each_disagreement_is_reported_once(
    given: str, takes: str, gives: str, places: list[str], folder: Path
) -> None:
    text = _SINE.format(given=given, takes=takes, gives=gives)
    assert faults(text, folder) == [(Code.TYPE_MISMATCH, place) for place in places]


_LESSON = (
    "make the stage before deliver U8. The same byte is another number: 0xC8 is 200 as U8 and -56 as I8. "
    "Here a number q stands for 0.00390625 * (q + 0): 0.78125, not -0.21875"
)


@pytest.mark.parametrize(
    ("model", "given", "hint"),
    [
        ("microspeech", "F32[1960]", "put a quantize block between them"),
        ("sine", "F32[2]", "one holds 2 elements, the other 1: declare one size in both places"),
        (
            "person",
            "I8[96,96]",
            _LESSON,
        ),
        ("gesture", "F32[128,3,1]", None),
        ("gesture", "F32[3,128]", "put a transpose or reshape block between them"),
        ("gesture", "F64[128,3]", "put a cast block between them, or declare F32 before it"),
    ],
)
def test_hints_lead_from_one_type_to_the_other(
    model: str, given: str, hint: str | None, folder: Path
) -> None:
    text = lines(
        f"CAPABILITY<{given}> x RAND", f"MODEL<_,_> m ./{model}.tflite", "OUT serial", "RUN x m serial"
    )
    assert [fault.hint for fault in checked(text, folder).diagnostics] == ([] if hint is None else [hint])


def test_blocks_see_what_the_model_behind_them_takes(folder: Path) -> None:
    text = lines(
        "CAPABILITY<F32[1960]> x RAND",
        "PROC_BLOCK<_,_> q quantize",
        "MODEL<_,_> m ./microspeech.tflite",
        "OUT serial",
        "RUN x q m serial",
    )
    assert pipeline(text, folder).stages[1].outputs == (tensor("i8", 1960, scale=0.1, zero_point=-128),)


def test_what_is_declared_stands_in_where_nothing_can_be_inferred(folder: Path) -> None:
    text = lines(
        "CAPABILITY<F32[4]> x RAND",
        "PROC_BLOCK<_,F32[2]> u nobodys",
        "MODEL<_,_> m ./sine.tflite",
        "OUT serial",
        "RUN x u m serial",
    )
    assert faults(text, folder) == [(Code.UNKNOWN_BLOCK, "nobodys"), (Code.TYPE_MISMATCH, "u")]


@pytest.mark.parametrize(
    ("block", "arguments", "code", "place"),
    [
        ("dequantize", "", Code.BLOCK, "x"),
        ("most_confident_indices", "--count 9", Code.BLOCK, "9"),
        ("quantize", "", Code.BLOCK, "quantize"),
        ("broken", "", Code.BLOCK, "broken"),
        ("./broken.py", "", Code.BLOCK, "./broken.py"),
        ("./missing.py", "", Code.FILE, "./missing.py"),
        ("label", "", Code.MISSING_ARGUMENT, "label"),
    ],
)
def test_a_type_rule_points_at_what_it_refuses(
    block: str, arguments: str, code: Code, place: str, folder: Path
) -> None:
    text = lines(
        "CAPABILITY<F32[4]> x RAND", f"PROC_BLOCK<_,_> b {block} {arguments}", "OUT serial", "RUN x b serial"
    )
    assert faults(text, folder) == [(code, place)]


def test_counts_of_inputs_and_outputs(folder: Path) -> None:
    text = lines(
        "CAPABILITY<F32> x RAND",
        "MODEL<_,(_,_)> m ./sine.tflite",
        "PROC_BLOCK<(_,_),(_,_)> p normalize",
        "OUT serial",
        "RUN (x, x) m",
        "RUN x p",
        "RUN (m.0, p.0) serial",
    )
    assert faults(text, folder) == [
        (Code.COUNT_MISMATCH, "_"),
        (Code.COUNT_MISMATCH, "./sine.tflite"),
        (Code.COUNT_MISMATCH, "p"),
    ]


def test_an_axis_of_quantisation_moves_with_the_shape() -> None:
    per_axis = Quantization((0.1, 0.2, 0.3), (0, 0, 0), axis=3)
    given = tensor("i8", 1, 1, 2, 3).with_quantization(per_axis)
    assert reshaped(given, (2, 1, 3)).quantization == Quantization((0.1, 0.2, 0.3), (0, 0, 0), axis=2)


# Files and resources

_LABEL = lines(
    "{resources}CAPABILITY<U32> x RAND",
    "PROC_BLOCK<_,_> w label --labels $WORDS",
    "OUT serial",
    "RUN x w serial",
)


@pytest.mark.parametrize(
    "resource", ["./labels.txt", '--inline "one\\ntwo"', '--inline "one\\r\\ntwo\\n\\n"']
)
def test_text_resources_are_lines(resource: str, folder: Path) -> None:
    found = pipeline(_LABEL.format(resources=f"RESOURCE<string> WORDS {resource}\n"), folder)
    assert found.stages[1].arguments == {"labels": ("one", "two")}


def test_line_ends_of_text_resources_are_plain(folder: Path) -> None:
    text = _LABEL.format(resources="RESOURCE<string> WORDS ./labels.txt\n")
    found = pipeline(text.replace("label --labels", "every_kind --text"), folder)
    assert found.stages[1].arguments == {"text": "one\ntwo\n"}


@pytest.mark.parametrize(
    ("resources", "code", "place"),
    [
        ("", Code.NO_SUCH_RESOURCE, "$WORDS"),
        ("RESOURCE<string> WORDS\n", Code.BAD_RESOURCE, "WORDS"),
        ("RESOURCE<string> WORDS ./labels.txt --inline a\n", Code.BAD_RESOURCE, "WORDS"),
        ("RESOURCE<binary> WORDS ./labels.txt\n", Code.BAD_RESOURCE, "$WORDS"),
        ("RESOURCE<string> WORDS ./lables.txt\n", Code.FILE, "./lables.txt"),
        ("RESOURCE<string> WORDS ./identity\n", Code.FILE, "./identity"),
        ("RESOURCE<string> WORDS ./pipe\n", Code.FILE, "./pipe"),
        ("RESOURCE<string> WORDS /dev/zero\n", Code.FILE, "/dev/zero"),
        ("RESOURCE<string> WORDS ./latin\n", Code.BAD_RESOURCE, "WORDS"),
        ('RESOURCE<string> WORDS "./a\\u0000"\n', Code.FILE, '"./a\\u0000"'),
        (f"RESOURCE<string> WORDS ./{'a' * 300}\n", Code.FILE, f"./{'a' * 300}"),
    ],
)
def test_wrong_resources(resources: str, code: Code, place: str, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "latin").write_bytes(b"caf\xe9")
    assert faults(_LABEL.format(resources=resources), folder) == [(code, place)]


def test_a_resource_nobody_uses_is_a_warning(folder: Path) -> None:
    result = checked(
        _LABEL.format(resources="RESOURCE<string> WORDS ./labels.txt\nRESOURCE<string> W\n"), folder
    )
    assert result.pipeline is not None
    [warning] = result.diagnostics
    assert (warning.code, warning.severity) == (Code.UNUSED_RESOURCE, Severity.WARNING)


def test_a_model_may_be_an_inline_resource(folder: Path) -> None:
    # c2luZQ== is `sine` in base64.
    text = lines(
        "RESOURCE<binary> M --inline {}",
        "CAPABILITY<F32> x RAND",
        "MODEL<_,_> m $M",
        "OUT serial",
        "RUN x m serial",
    )
    found = pipeline(text.format("c2luZQ=="), folder)
    assert (found.models["m"].data, found.models["m"].file) == (b"sine", "$M")
    assert faults(text.format("c2lu!"), folder) == [(Code.BAD_RESOURCE, "M")]


def test_a_missing_file_names_its_neighbour(folder: Path) -> None:
    text = _SINE.format(given="F32", takes="_", gives="_").replace("sine.tflite", "sin.tflite")
    assert the_fault(text, folder) == ('there is no file "./sin.tflite"', 'did you mean "sine.tflite"?')


# Exit codes

_CORRUPT = _SINE.format(given="F32", takes="_", gives="_").replace("sine", "corrupt")


def test_a_corrupt_model_is_an_error_of_compiling(folder: Path) -> None:
    (folder / "Runefile").write_text(_CORRUPT)
    with pytest.raises(
        CompileError, match=r"Runefile:3:14: error\[model\]: \./corrupt.tflite is not a model"
    ):
        load(folder / "Runefile", blocks=FakeCatalog(), models=read_model)


def test_a_format_that_is_not_compiled_is_one_too(folder: Path) -> None:
    result = checked(_CORRUPT.replace("corrupt.tflite", "corrupt.tflite --format tensorflow"), folder)
    assert [fault.code for fault in result.diagnostics] == [Code.MODEL_FORMAT]
    assert result.error().exit_code is ExitCode.COMPILE


def test_with_other_errors_the_runefile_is_wrong(folder: Path) -> None:
    (folder / "Runefile").write_text(_CORRUPT.replace("RAND", "RAND --x 1"))
    with pytest.raises(RunefileError) as caught:
        load(folder / "Runefile", blocks=FakeCatalog(), models=read_model)
    assert caught.value.exit_code is ExitCode.RUNEFILE
    assert caught.value.message.count("error[") == 2


def test_the_folder_names_the_pipeline(folder: Path) -> None:
    (folder / "Runefile").write_text(_SINE.format(given="F32", takes="_", gives="_"))
    assert load(folder / "Runefile", blocks=FakeCatalog(), models=read_model).name == folder.name
