"""`rune graph` and the pictures behind it."""

from __future__ import annotations

import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from container.errors import ExitCode, RuneError, UsageError
from container.manifest import OutputReference, StageKind, StageRecord
from container.sections import seal
from container.tensors import ElementType, TensorType
from rune import graph
from tests.container import samples
from tests.rune.commands import EXAMPLES, rune
from tests.snapshots import assert_snapshot
from tests.tools import needs

MANIFEST = samples.manifest()


def test_dot() -> None:
    assert_snapshot("cli/graph.dot", graph.dot(MANIFEST.name, MANIFEST.stages))


def test_svg_shows_every_stage_and_type(tmp_path: Path) -> None:
    needs("dot")
    file = tmp_path / "picture.svg"
    graph.draw(MANIFEST.name, MANIFEST.stages, file)
    texts = {element.text for element in ElementTree.parse(file).iter("{http://www.w3.org/2000/svg}text")}
    assert {"features", "RAW", "net", "./net.tflite", "word", "serial"} <= texts
    assert {"I8[1,4]", "scale 0.5, zero point -3", "F32[2]", "UTF8[1]"} <= texts


def test_names_cannot_inject_markup() -> None:
    number = TensorType(ElementType.F32, (1,))
    stages = (
        StageRecord("<b>", StageKind.CAPABILITY, 'RAW"]; evil [label="\\N>', outputs=(number,), port=0),
        StageRecord(
            "out",
            StageKind.OUT,
            "SERIAL",
            inputs=(OutputReference("<b>", 0),),
            input_types=(number,),
            port=0,
        ),
    )
    lines = graph.dot("x", stages).splitlines()
    assert [line.split()[0] for line in lines[4:-1]] == ["stage0", "stage1", "stage0"]
    assert lines[4].startswith('\tstage0 [label="<b>\\nRAW\\"]; evil [label=\\"\\\\N>"')


def test_without_the_program_dot_an_svg_is_refused_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuneError, match="`dot`, which draws an SVG, is not installed") as caught:
        graph.draw("x", MANIFEST.stages, tmp_path / "picture.svg")
    assert caught.value.hint == "install graphviz (`apt install graphviz`), or write a .dot file"
    graph.draw("x", MANIFEST.stages, tmp_path / "picture.dot")
    assert shutil.which("dot") is None


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"picture\.gif: a picture ends in \.svg or \.dot"):
        graph.draw("x", MANIFEST.stages, tmp_path / "picture.gif")


def test_a_runefile_and_its_container_have_one_picture(tmp_path: Path) -> None:
    (tmp_path / "sample.rune").write_bytes(seal(MANIFEST, samples.MODULES))
    assert rune("graph", tmp_path / "sample.rune").stdout == graph.dot("sample", MANIFEST.stages)
    from_runefile = rune("graph", EXAMPLES / "sine").stdout
    assert 'label="turn\\nmodulo"' in from_runefile
    assert 'stage1 -> stage2 [label="F32[1,1]"]' in from_runefile


def test_the_picture_goes_to_a_file(tmp_path: Path) -> None:
    result = rune("graph", EXAMPLES / "sine", "-o", tmp_path / "sine.dot")
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "sine.dot").read_text().startswith("digraph sine {")


def test_a_wrong_runefile_shows_its_diagnostics(tmp_path: Path) -> None:
    (tmp_path / "Runefile").write_text("FROM runicos/base\nCAPABILITY<F33> x RAW\n")
    result = rune("graph", tmp_path)
    assert result.exit_code == ExitCode.RUNEFILE
    assert f"{tmp_path}/Runefile:2:12: error[unknown-type]: " in result.stderr
