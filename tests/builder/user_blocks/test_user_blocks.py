"""Proc blocks of the user's own: what works, and how everything else is told."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rune
from builder.blocks import NoReference, TypeRuleError
from builder.catalog import CATALOG
from builder.user_blocks import MAXIMUM_BYTES
from builder.user_blocks.c_signature import read_signature
from container.errors import CompileError
from tests.builder.blocks.cases import case, check, pipeline_of, run_cases, tensor
from tests.builder.support import container_of, run_container
from tests.rune.commands import printed
from tests.rune.commands import rune as run_rune
from tests.snapshots import assert_snapshot

SCALE2 = '''
from builder.blocks import Block

class Scale2(Block):
    """Twice the input."""

    def infer(self, use):
        return use.inputs

    def expressions(self, emit, inputs, use, outputs):
        return [emit.elementwise(lambda x: x + x, inputs, "double")]

    def reference(self, inputs, use, outputs):
        return [inputs[0] * 2]
'''
MIX = """
// rune-block: mix(a: F32[N], b: F32[N]) -> (F32[N], I32[N/2+1])
// rune-summary: a plus a part of b, and numbers
// rune-argument: gain: number = 0.5  how much of b
// rune-argument: start: integer = 7
// rune-argument: fancy: boolean = false
// rune-argument: note: text = a"b\\?c

#define HELPER 2
typedef struct { int value; } state;
static state last;
static float helper(float x) { return x * (float)GAIN; }

int32_t mix(const float *a, const float *b, float *y, int32_t *numbers) {
  for (int i = 0; i < N; ++i) y[i] = a[i] + helper(b[i]);
  last.value = START;
  for (int i = 0; i < N / 2 + 1; ++i) numbers[i] = FANCY ? NOTE[i] : last.value + HELPER * i;
  return 0;
}
"""


def written(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text).lstrip())
    return folder


# Finding the file


@pytest.mark.parametrize("path", ["scale2.py", "scale2"])
def test_a_file_is_named_with_or_without_its_ending(path: str, tmp_path: Path) -> None:
    block = CATALOG.load(written(tmp_path, {"scale2.py": SCALE2}) / path)
    assert (block.name, block.summary) == ("scale2", "Twice the input.")


@pytest.mark.parametrize("file", ["block.py", "block.c"])
def test_a_folder_holds_a_block(file: str, tmp_path: Path) -> None:
    written(tmp_path, {f"mine/{file}": SCALE2 if file == "block.py" else MIX})
    assert CATALOG.load(tmp_path / "mine").name == "mine"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        CATALOG.load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError):
        CATALOG.load(tmp_path / "nothing.c")


# Python


def test_python_block(tmp_path: Path) -> None:
    block = CATALOG.load(written(tmp_path, {"scale2.py": SCALE2}) / "scale2.py")
    each = case(block, np.array([1.5, -2], "float32"))
    check([each])
    assert each.reference[0].tolist() == [3, -4]


def test_a_python_block_leaves_no_files_behind(tmp_path: Path) -> None:
    CATALOG.load(written(tmp_path, {"scale2.py": SCALE2}) / "scale2.py")
    assert [path.name for path in tmp_path.iterdir()] == ["scale2.py"]


def test_what_a_python_block_prints_is_no_fact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    CATALOG.load(written(tmp_path, {"noisy.py": "print('hello')\n" + SCALE2}) / "noisy.py")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "hello\n")


def test_a_python_block_without_reference(tmp_path: Path) -> None:
    text = SCALE2[: SCALE2.index("    def reference")]
    block = CATALOG.load(written(tmp_path, {"scale2.py": text}) / "scale2.py")
    with pytest.raises(NoReference, match="`scale2` has no reference"):
        _ = case(block, np.array([1], "int8")).reference


def test_a_python_block_may_use_relax(tmp_path: Path) -> None:
    """Operators whose kernels TVM names like words of C and functions of its library."""
    names = ["abs", "exp", "round", "floor", "sqrt", "negative", "sign", "tanh", "log", "sin"]
    calls = ", ".join(f"emit(relax.op.{name}(inputs[0]), '{name}')" for name in names)
    text = SCALE2.replace("return use.inputs", f"return use.inputs * {len(names)}")
    text = text.replace(
        "return [emit.el", f"from tvm import relax\n        return [{calls}]\n        return [emit.el"
    )
    block = CATALOG.load(written(tmp_path, {"many.py": text}) / "many.py")
    values = np.array([0.25, 2.5, 4], "float32")
    expected = [getattr(np, {"round": "rint"}.get(name, name))(values) for name in names]
    for (found,) in run_cases([case(block, values)]).values():
        np.testing.assert_allclose(found, expected, rtol=1e-6)


BROKEN_PYTHON = {
    "syntax": "def infer(:",
    "import": "import no_such_package",
    "exit": "import sys\n\nsys.exit(3)",
    "nothing": "x = 1",
    "two": SCALE2 + SCALE2.replace("Scale2", "Scale3"),
    "itself": "from builder.catalog import CATALOG\nfrom pathlib import Path\nCATALOG.load(Path(__file__))",
    "abstract": "from builder.blocks import Block\n\nclass Half(Block):\n    def infer(self, use): ...",
    "constructor": SCALE2.replace("def infer", "def __init__(self): 1 / 0\n    def infer"),
    "parameters": SCALE2.replace("def infer", "parameters = ['gain']\n    def infer"),
}


def test_broken_python_files(tmp_path: Path) -> None:
    lines = []
    for name, text in BROKEN_PYTHON.items():
        with pytest.raises(CompileError) as caught:
            CATALOG.load(written(tmp_path, {f"{name}.py": text}) / name)
        lines += [caught.value.message] + ([f"  hint: {caught.value.hint}"] if caught.value.hint else [])
    assert_snapshot("builder/broken-python-blocks.txt", "\n".join(lines) + "\n")


BROKEN_RULES = {
    "the rule fails": ("return use.inputs", "return use.inputs[7]"),
    "the rule ends the program": ("return use.inputs", "raise SystemExit"),
    "the rule gives no types": ("return use.inputs", "return ['F32[4]']"),
    "the rule gives nothing": ("return use.inputs", "pass"),
}


@pytest.mark.parametrize("name", BROKEN_RULES)
def test_broken_type_rules(name: str, tmp_path: Path) -> None:
    text = SCALE2.replace(*BROKEN_RULES[name])
    block = CATALOG.load(written(tmp_path, {"scale2.py": text}) / "scale2.py")
    with pytest.raises(CompileError, match=r"^scale2\.py:7: |^scale2\.py: TypeError: "):
        case(block, np.array([1], "int8"))


def test_a_type_rule_of_the_user_refuses(tmp_path: Path) -> None:
    text = SCALE2.replace("return use.inputs", "raise TypeRuleError('takes cats', hint='adopt one', input=0)")
    text = text.replace("import Block", "import Block, TypeRuleError")
    block = CATALOG.load(written(tmp_path, {"scale2.py": text}) / "scale2.py")
    with pytest.raises(TypeRuleError, match="takes cats"):
        case(block, np.array([1], "int8"))


BROKEN_CODE = {
    "raises": (
        "return [emit.el",
        "return [1 / 0, emit.el",
        r"scale2\.py:10: ZeroDivisionError: division by zero",
    ),
    "gives another type": (
        "return use.inputs",
        "return ()",
        "computes 1 elements of int8, its type rule promises nothing",
    ),
    "gives no Relax": (
        "return [emit.el",
        "return [7] or [emit.el",
        r"scale2\.py: TypeError: `expressions` must return",
    ),
    "misuses TVM": ("lambda x: x + x", "lambda x: x + 'a'", r"scale2\.py:10: "),
}


@pytest.mark.parametrize("name", BROKEN_CODE)
def test_broken_code(name: str, tmp_path: Path) -> None:
    old, new, message = BROKEN_CODE[name]
    block = CATALOG.load(written(tmp_path, {"scale2.py": SCALE2.replace(old, new)}) / "scale2.py")
    with pytest.raises(CompileError, match=message):
        run_cases([case(block, np.array([1], "int8"))])


# C


def test_c_block(tmp_path: Path) -> None:
    block = CATALOG.load(written(tmp_path, {"mix.c": MIX}) / "mix.c")
    assert block.summary == "a plus a part of b, and numbers"
    a, b = np.array([[1, 2, 3, 4]], "float32"), np.array([10, 20, 30, 40], "float32")
    cases = [
        case(block, a, b),
        case(block, a, b, gain=0.1, start=-3),
        case(block, a[:, :2], b[:2], fancy=True),
    ]
    for mixed, marked, lettered in run_cases(cases).values():
        assert [value.tolist() for value in mixed] == [[6, 12, 18, 24], [7, 9, 11]]
        assert [value.tolist() for value in marked] == [[2, 4, 6, 8], [-3, -1, 1]]
        assert lettered[1].tolist() == [ord("a"), ord('"')]


def test_c_blocks_cannot_clash(tmp_path: Path) -> None:
    """Two files with the same function, helper, type, variable and macro, each with another meaning."""
    other = (
        MIX.replace("x * (float)GAIN", "x * 100")
        .replace("HELPER 2", "HELPER 5")
        .replace("int value", "float value")
    )
    first = CATALOG.load(written(tmp_path, {"one/block.c": MIX, "two/block.c": other}) / "one")
    second = CATALOG.load(tmp_path / "two")
    a, b = np.array([1, 2], "float32"), np.array([1, 1], "float32")
    for one, two in run_cases([case(first, a, b), case(second, a, b)]).values():
        assert [value.tolist() for value in one] == [[1.5, 2.5], [7, 9]]
        assert [value.tolist() for value in two] == [[101, 102], [7, 12]]


def test_c_block_of_every_type_with_mathematics(tmp_path: Path) -> None:
    names = ["u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64"]
    c_types = [
        "uint8_t",
        "int8_t",
        "uint16_t",
        "int16_t",
        "uint32_t",
        "int32_t",
        "uint64_t",
        "int64_t",
        "float",
        "double",
    ]
    files = {
        f"{name}.c": f"""
            // rune-block: root(x: {name}[N]) -> {name}[N]
            #include <math.h>
            int32_t root(const {c_type} *x, {c_type} *y) {{
              for (int i = 0; i < N; ++i) y[i] = ({c_type})powf((float)x[i], 0.5f);
              return 0;
            }}
        """
        for name, c_type in zip(names, c_types, strict=True)
    }
    written(tmp_path, files)
    cases = [case(CATALOG.load(tmp_path / name), np.array([4, 9]), types=[tensor(name, 2)]) for name in names]
    for results in run_cases(cases).values():
        assert [value.tolist() for (value,) in results] == [[2, 3]] * len(names)


def test_c_block_with_state(tmp_path: Path) -> None:
    """The running sum of all samples so far."""
    text = """
        // rune-block: total(x: I32[1]) -> I32[1]
        static int32_t sum;
        int32_t total(const int32_t *x, int32_t *y) { *y = sum += *x; return 0; }
    """
    block = CATALOG.load(written(tmp_path, {"total.c": text}) / "total")
    container = container_of(pipeline_of([case(block, np.array([0], "int32"))]))
    for profile in container.modules:
        samples = [[np.array([value], "int32")] for value in (5, 7, -2)]
        sums = [outputs[0].tolist() for outputs in run_container(container, profile, samples)]
        assert sums == [[5], [12], [10]]


BROKEN_SIGNATURES = {
    "missing": "int32_t f(void) { return 0; }",
    "twice": "// rune-block: f(x: F32[N]) -> F32[N]\n// rune-block: f(x: F32[N]) -> F32[N]",
    "no_arrow": "// rune-block: f(x: F32[N])",
    "no_inputs": "// rune-block: f() -> F32[N]",
    "no_type": "// rune-block: f(x) -> F32[1]",
    "type": "// rune-block: f(x: float[N]) -> F32[1]",
    "text": "// rune-block: f(x: UTF8[N]) -> F32[1]",
    "dimension": "// rune-block: f(x: F32[N+1]) -> F32[1]",
    "unbound": "// rune-block: f(x: F32[N]) -> F32[M]",
    "formula": "// rune-block: f(x: F32[N]) -> F32[N**9]",
    "division": "// rune-block: f(x: F32[N]) -> F32[1/0]",
    "call": "// rune-block: f(x: F32[N]) -> F32[exit(1)]",
    "kind": "// rune-block: f(x: F32[N]) -> F32[N]\n// rune-argument: gain: float",
    "default": "// rune-block: f(x: F32[N]) -> F32[N]\n// rune-argument: gain: integer = much",
}


def test_broken_signatures(tmp_path: Path) -> None:
    lines = []
    for name, text in BROKEN_SIGNATURES.items():
        with pytest.raises(CompileError) as caught:
            CATALOG.load(written(tmp_path, {f"{name}.c": text}) / name)
        lines += [caught.value.message] + ([f"  hint: {caught.value.hint}"] if caught.value.hint else [])
    assert_snapshot("builder/broken-c-signatures.txt", "\n".join(lines) + "\n")


WORDS = (
    "// rune-block:",
    "//rune-argument:",
    "// rune-summary:",
    *[
        "\n",
        "()",
        "->",
        "x:",
        ",",
        "F32",
        "[N]",
        "u8[1]",
        "[",
        "]",
        "=",
        "number",
        "integer",
        "1",
        "+",
        "*",
        "é",
        "\x00",
    ],
    " ",
    "N" * 2000,
)


@given(st.lists(st.sampled_from(WORDS), max_size=40).map("".join))
def test_any_text_has_a_signature_or_an_error(text: str) -> None:
    with contextlib.suppress(CompileError):
        signature = read_signature(text, "any.c")
        assert signature.inputs
        assert signature.outputs


def test_a_long_text_takes_no_time() -> None:
    text = "\n" * 300_000 + "// rune-block: f(x: F32[N]) -> F32[N]" + " " * 300 + "\n" + " " * 300_000 + "x"
    assert read_signature(text, "long.c").line == 300_001


C_REFUSALS = {
    "one input": ([tensor("f32", 4)], "takes 2 inputs (a: F32[N], b: F32[N]), is given 1"),
    "other type": ([tensor("f32", 4), tensor("f64", 4)], "takes F32[N] as b, is given F64[4]"),
    "other size": ([tensor("f32", 4), tensor("f32", 5)], "takes F32[N] as b, is given F32[5]: N is 4, not 5"),
    "other rank": ([tensor("f32", 2, 2), tensor("f32", 4)], "takes F32[N] as a, is given F32[2,2]"),
}


@pytest.mark.parametrize("name", C_REFUSALS)
def test_c_type_rule(name: str, tmp_path: Path) -> None:
    types, message = C_REFUSALS[name]
    block = CATALOG.load(written(tmp_path, {"mix.c": MIX}) / "mix.c")
    with pytest.raises(TypeRuleError) as caught:
        case(block, *(np.zeros(kind.shape) for kind in types), types=types)
    assert caught.value.message == message


def test_c_output_that_would_be_empty(tmp_path: Path) -> None:
    text = "// rune-block: f(x: F32[N]) -> F32[N-4]"
    block = CATALOG.load(written(tmp_path, {"f.c": text}) / "f.c")
    with pytest.raises(TypeRuleError, match=r"would have the shape \[0\]"):
        case(block, np.zeros(4, "float32"))


BROKEN_C = {
    "undeclared": (
        "last.value = START;",
        "last.value = STRAT;",
        "mix.c:15:16: error: use of undeclared identifier",
    ),
    "a signature that differs": ("const float *b", "const double *b", "error: conflicting types for 'mix'"),
    "a helper that is not static": (
        "static float helper",
        "float helper",
        "mix.c:11:7: error: no previous prototype",
    ),
    "a variable that is not static": (
        "static state",
        "state",
        "mix.c:10:7: error: no previous extern declaration",
    ),
    "no such header": ("#define HELPER", "#include <stdlib.h>\n#define HELPER", "'stdlib.h' file not found"),
}


@pytest.mark.parametrize("name", BROKEN_C)
def test_c_that_does_not_compile(name: str, tmp_path: Path) -> None:
    old, new, message = BROKEN_C[name]
    block = CATALOG.load(written(tmp_path, {"mix.c": MIX.replace(old, new)}) / "mix.c")
    vector = np.zeros(2, "float32")
    with pytest.raises(CompileError) as caught:
        run_cases([case(block, vector, vector)])
    assert caught.value.message.startswith("mix.c cannot be compiled")
    assert message in caught.value.message


def test_a_failure_in_c_names_the_stage(tmp_path: Path) -> None:
    text = """
        // rune-block: fuse(x: U8[1]) -> U8[1]
        int32_t fuse(const uint8_t *x, uint8_t *y) {
          *y = *x;
          return *x > 9 ? RUNE_FAILURE_VALUE : *x == 9 ? -1 : 0;
        }
    """
    runefile = """
        FROM runicos/base
        CAPABILITY<U8[1]> level RAW
        PROC_BLOCK<U8[1],U8[1]> fuse ./fuse.c
        OUT serial
        RUN level fuse serial
    """
    written(tmp_path, {"fuse.c": text, "Runefile": runefile})
    rune.build(tmp_path / "Runefile", tmp_path / "fuse.rune", profiles=["mcu"])
    with rune.load(tmp_path / "fuse.rune") as application:
        assert application.run({"level": [5]})["serial"].tolist() == [5]
        with pytest.raises(rune.TrapError, match=r"`fuse`.*a value is outside"):
            application.run({"level": [10]})
        with pytest.raises(rune.TrapError, match=r"`fuse`.*a value is outside"):
            application.run({"level": [9]})


# Whatever is wrong, the command tells it and ends with its exit code


PIPELINE = """
    FROM runicos/base
    CAPABILITY<F32[4]> input RAW
    PROC_BLOCK<F32[4],F32[4]> mine ./mine
    OUT serial
    RUN input mine serial
"""
COMMANDS = {
    "build-broken-python": (
        "build",
        {"mine.py": SCALE2.replace("return [emit.el", "return [1 / 0, emit.el")},
    ),
    "check-broken-python": ("check", {"mine.py": "import no_such_package"}),
    "check-exit": ("check", {"mine.py": "raise SystemExit"}),
    "check-two": ("check", {"mine.py": SCALE2, "mine.c": MIX}),
    "check-missing": ("check", {}),
    "check-large": ("check", {"mine.py": "#" * (MAXIMUM_BYTES + 1)}),
    "check-latin": ("check", {"mine.c": "// caf\udce9"}),
    "check-folder": ("check", {"mine.py/block.py": SCALE2}),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands(name: str, tmp_path: Path) -> None:
    command, files = COMMANDS[name]
    for file, text in {**files, "Runefile": textwrap.dedent(PIPELINE)}.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(text.encode(errors="surrogateescape"))
    result = run_rune(command, tmp_path)
    assert_snapshot(f"builder/user-block-{name}.txt", printed(result, folder=tmp_path))
    assert result.exit_code in (3, 4)
