"""The catalog as a whole: light to import, and every block documented, described and exemplified."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from builder.blocks.base import Block
from builder.catalog import CATALOG
from builder.importers import read_signature
from runefile.check import check_file

ROOT = Path(__file__).parents[3]
EXAMPLE = """\
FROM runicos/base
CAPABILITY<{source}> input RAW
{before}{example}
OUT serial
RUN input {first}{stage}
RUN {output} serial
"""


def test_names() -> None:
    old = (
        "modulo normalize image-normalization audio_float_conversion most_confident_indices label argmax "
        "softmax binary_classification parse utf8_decode segment_output"
    )
    own = "quantize dequantize reshape cast transpose clip scale"
    assert set(CATALOG.names()) >= {*old.split(), *own.split()}


def test_unknown_name() -> None:
    assert CATALOG.find("no_such_block") is None


def test_checking_imports_no_compiler() -> None:
    program = (
        "import sys\n"
        "from builder.catalog import CATALOG\n"
        "assert CATALOG.find('label')\n"
        "heavy = {'tvm', 'tvm_ffi', 'tflite', 'onnx', 'wasmtime'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


@pytest.mark.parametrize("name", CATALOG.names())
def test_block_is_described(name: str) -> None:
    block = CATALOG.find(name)
    assert isinstance(block, Block)
    assert type(block).reference is not Block.reference
    assert inspect.getdoc(block) != inspect.getdoc(Block)
    assert block.summary
    assert all(parameter.summary for parameter in block.parameters)


@pytest.mark.parametrize("name", CATALOG.names())
def test_example_checks(name: str, tmp_path: Path) -> None:
    block = CATALOG.find(name)
    assert block is not None
    found = re.match(r"PROC_BLOCK<(?P<source>\w+(\[[\d,]+\])?),.*> (?P<stage>\w+)", block.example)
    assert found is not None
    # No sensor gives text: it is decoded from bytes.
    is_text = found["source"].startswith("UTF8")
    text = EXAMPLE.format(
        source="U8[16]" if is_text else found["source"],
        before="PROC_BLOCK<_,_> decoded utf8_decode\n" if is_text else "",
        example=block.example,
        first="decoded " if is_text else "",
        stage=found["stage"],
        output=f"{found['stage']}.0" if ",(" in block.example else found["stage"],
    )
    (tmp_path / "Runefile").write_text(text)
    result = check_file(tmp_path / "Runefile", blocks=CATALOG, models=read_signature)
    assert [diagnostic.message for diagnostic in result.diagnostics] == []
