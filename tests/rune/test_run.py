"""`rune run`: JSON lines from a container."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from container.errors import ExitCode
from tests.rune.commands import ROOT, rune
from tests.rune.guests import CRASH, LOOP, guest_file
from tests.runtime.guests import ECHO, FOUR_BYTES, capability, out

RUNE = [sys.executable, "-c", "from rune.cli import main; main()"]


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    file = tmp_path / "four.raw"
    file.write_bytes(bytes([1, 2, 0xFF, 0x80]))
    return file


def line(values: list[int], sequence: int = 0) -> str:
    tensor = json.dumps({"dtype": "i8", "shape": [1, 4], "values": values}, separators=(",", ":"))
    return f'{{"outputs":{{"serial":[{tensor}]}},"seq":{sequence}}}\n'


def test_prints_one_line_per_inference(tmp_path: Path, sample: Path) -> None:
    result = rune("run", guest_file(tmp_path), "--raw", sample, "--repeat", 2)
    assert (result.exit_code, result.stderr) == (ExitCode.OK, "")
    assert result.stdout == line([1, 2, -1, -128], 0) + line([1, 2, -1, -128], 1)


def test_an_npy_file_feeds_any_capability(tmp_path: Path) -> None:
    np.save(tmp_path / "four.npy", np.array([[5, 6, 7, 8]], np.int8))
    result = rune("run", guest_file(tmp_path), "--raw", tmp_path / "four.npy")
    assert result.stdout == line([5, 6, 7, 8])


def test_bytes_to_an_answer_take_no_numpy(tmp_path: Path, sample: Path) -> None:
    """Half of the time from the command to the answer was NumPy's start."""
    program = (
        "import atexit, sys; atexit.register(lambda: print('numpy' in sys.modules, file=sys.stderr));"
        "from rune.cli import main; main()"
    )
    command = [sys.executable, "-c", program, "run", str(guest_file(tmp_path)), "--raw", str(sample)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert json.loads(result.stdout)["seq"] == 0
    assert result.stderr == "False\n"


def test_a_seed_gives_the_same_numbers_each_time(tmp_path: Path) -> None:
    guest = guest_file(tmp_path)
    first, again, other = (rune("run", guest, "--random", seed).stdout for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_tensor_outputs_go_to_files(tmp_path: Path, sample: Path) -> None:
    stages = (capability("features", FOUR_BYTES), out("scores", FOUR_BYTES, of="features", target="TENSOR"))
    guest = guest_file(tmp_path, ECHO, *stages)
    result = rune("run", guest, "--raw", sample, "--tensors", tmp_path)
    assert result.stdout == '{"outputs":{},"seq":0}\n'
    assert (tmp_path / "scores.bin").read_bytes() == sample.read_bytes()


def test_metering_counts_operations(tmp_path: Path, sample: Path) -> None:
    result = rune("run", guest_file(tmp_path), "--raw", sample, "--metering", 1_000_000)
    assert result.stdout == line([1, 2, -1, -128])
    words = result.stderr.split()
    assert words[0] == "metering:"
    assert 0 < int(words[1].replace(",", "")) < 100


@pytest.mark.parametrize(
    ("body", "options", "message"),
    [
        (LOOP, ["--deadline", "0.2"], "it took longer than 0.2 s for an inference"),
        (LOOP, ["--metering", "100000"], "100,000"),
        (CRASH, [], "it gave itself up (`unreachable`)"),
    ],
)
def test_a_container_that_fails_ends_with_6(
    body: str, options: list[str], message: str, tmp_path: Path, sample: Path
) -> None:
    result = rune("run", guest_file(tmp_path, body), "--raw", sample, *options)
    assert result.exit_code == ExitCode.TRAP
    assert message in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        ([], ExitCode.USAGE, "the capability `features` (RAW I8[1,4]) has no input"),
        (["--raw", "four.raw", "--image", "x.png"], ExitCode.USAGE, "--image x.png: no capability takes it"),
        (["--raw", "missing.raw"], ExitCode.FAILED, "missing.raw: cannot be read"),
        (["--profile", "mcu", "--random", "1"], ExitCode.USAGE, "'guest' has no profile 'mcu'"),
        (["--repeat", "0"], ExitCode.USAGE, "0 is not in the range"),
        (["--profile", "avx", "--random", "1"], ExitCode.USAGE, "'avx' is not one of"),
    ],
)
def test_what_does_not_fit_is_refused(
    arguments: list[str],
    exit_code: ExitCode,
    message: str,
    tmp_path: Path,
    sample: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = rune("run", guest_file(tmp_path), *arguments)
    assert result.exit_code == exit_code
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_container_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.rune").write_bytes(b"nothing")
    result = rune("run", tmp_path / "x.rune", "--random", 1)
    assert result.exit_code == ExitCode.CONTAINER
    assert str(tmp_path / "x.rune") in result.stderr


def test_lines_come_one_by_one_through_a_pipe(tmp_path: Path) -> None:
    command = [*RUNE, "run", str(guest_file(tmp_path)), "--random", "1", "--repeat", "1000000"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        assert json.loads(first)["seq"] == 0
        assert process.wait(timeout=20) == ExitCode.FAILED
        assert process.stderr.read() == b""
