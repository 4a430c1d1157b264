"""`rune build`: files, phases, profiles, golden vectors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from container.abi import Profile
from container.errors import ExitCode
from container.sections import load
from tests.rune.commands import EXAMPLES, rune

PHASES = ["check", "import", "shrink", "lower (mcu)", "compile (mcu)", "golden vectors", "seal"]
PASSES = [
    "remove_dead_code",
    "merge_duplicates",
    "fold_constants",
    "remove_identities",
    "merge_padding",
    "remove_dead_channels",
]


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the digits, in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(EXAMPLES / "digits", tmp_path / "reader")
    return tmp_path / "reader"


def test_a_container_is_named_as_the_folder_and_has_both_profiles(digits: Path) -> None:
    result = rune("build", digits)
    assert (result.exit_code, result.output) == (ExitCode.OK, "")
    container = load(digits.parent / "reader.rune")
    assert container.manifest.name == "reader"
    assert set(container.modules) == set(Profile)


def test_one_profile_and_the_phases_with_their_times(digits: Path) -> None:
    result = rune("build", digits, "-o", "one.rune", "--profile", "mcu", "--verbose", "--json")
    assert set(load(Path("one.rune")).modules) == {Profile.MCU}
    facts = json.loads(result.stdout)
    assert (facts["schema"], facts["file"], facts["warnings"]) == (1, "one.rune", [])
    assert facts["bytes"] == Path("one.rune").stat().st_size
    lines = result.stderr.splitlines()[: len(PHASES)]
    assert [line.rsplit(None, 2)[0].rstrip() for line in lines] == PHASES
    assert facts["seconds"].keys() == set(PHASES)
    assert all(line.endswith(" s") for line in lines)


def test_what_each_graph_pass_removes(digits: Path) -> None:
    """A RELU of the digits' model cuts one of sixteen filters off, whatever the picture.

    That saves 8 * 8 products of 9 taps, 4 * 4 of 9 behind them, and 16 for each of ten digits.
    """
    result = rune("build", digits, "--profile", "mcu", "--verbose", "--json")
    lines = result.stderr.splitlines()[len(PHASES) :]
    assert lines == [
        *(f"{name}: nothing to remove" for name in PASSES[:-1]),
        "remove_dead_channels: 0 operations, 880 multiply-accumulates and 198 bytes of weights less",
    ]
    removed = json.loads(result.stdout)["removed"]
    assert [removal["name"] for removal in removed] == PASSES
    assert removed[-1] == {
        "name": "remove_dead_channels",
        "operations": 0,
        "macs": 880,
        "weight_bytes": 198,
    }


def test_what_code_is_made_for_is_told_by_its_container(digits: Path) -> None:
    balanced, small = "balanced between speed and size", "optimized for size"
    for options, words in ([], balanced), (["--optimize", "size"], small):
        result = rune("build", digits, "--profile", "mcu", "--golden-samples", 0, *options)
        assert result.exit_code == ExitCode.OK
        assert rune("size", "reader.rune").stdout.startswith(f"reader: sizes in bytes, code {words}\n")
        assert f"code        {words}" in rune("inspect", "reader.rune").stdout
    assert json.loads(rune("size", "reader.rune", "--json").stdout)["optimization"] == "size"


def test_golden_vectors_of_the_users_own(digits: Path) -> None:
    np.savez("inputs.npz", picture=np.zeros((3, 1, 8, 8, 1), np.int8))
    result = rune("build", digits, "--golden", "inputs.npz", "--golden-samples", 2)
    assert result.exit_code == ExitCode.OK
    facts = json.loads(rune("inspect", "reader.rune", "--json").stdout)
    assert facts["golden"]["vectors"] == 5
    assert rune("verify", "reader.rune").exit_code == ExitCode.OK


def test_golden_inputs_that_do_not_fit(digits: Path) -> None:
    np.savez("inputs.npz", image=np.zeros((1, 8, 8, 1), np.int8))
    result = rune("build", digits, "--golden", "inputs.npz")
    assert result.exit_code == ExitCode.USAGE
    assert "inputs.npz" in result.stderr
    assert not Path("reader.rune").exists()


def test_a_wrong_runefile_ends_with_3_and_builds_nothing(digits: Path) -> None:
    runefile = digits / "Runefile"
    runefile.write_text(runefile.read_text().replace("I8[1,10]", "U8[1,10]"))
    result = rune("build", digits)
    assert result.exit_code == ExitCode.RUNEFILE
    assert "error[type-mismatch]" in result.stderr
    assert not Path("reader.rune").exists()


def test_a_damaged_model_ends_with_4(digits: Path) -> None:
    model = digits / "digits.tflite"
    model.write_bytes(model.read_bytes()[:1000])
    result = rune("build", digits)
    assert result.exit_code == ExitCode.COMPILE
    assert "digits.tflite" in result.stderr


def test_a_file_that_cannot_be_written(digits: Path) -> None:
    result = rune("build", digits, "-o", "no/such/folder/x.rune", "--profile", "mcu")
    assert result.exit_code == ExitCode.FAILED
    assert result.stderr.startswith("error: no/such/folder/x.rune: cannot be written")


LARGE = """\
FROM a
CAPABILITY<F32[2000]> wave RAW
PROC_BLOCK<_,_> even normalize
OUT serial
RUN wave even serial
"""


def test_a_board_without_room_is_an_error_and_the_container_stays(tmp_path: Path) -> None:
    (tmp_path / "Runefile").write_text(LARGE)
    file = tmp_path / "large.rune"
    result = rune("build", tmp_path, "-o", file, "--golden-samples", 0, "--profile", "mcu", "--board", "uno")
    assert result.exit_code == ExitCode.BUDGET
    name, ram = tmp_path.name, load(file).manifest.plans[Profile.MCU]
    needed = ram.linear_memory - 16 - ram.read_only if ram.read_only else ram.linear_memory
    error, hint = result.stderr.splitlines()[-2:]
    assert error == (
        f"error: '{name}' does not fit uno: it needs at least {needed:,} bytes of RAM, 2,048 are there; "
        f"the largest stage is `even` with {ram.operators[1].arena_bytes:,}"
    )
    assert hint == "hint: choose a board with more (mps2-an386, netduinoplus2, nrf52840), or a smaller input"


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["--board", "unoo"], "there is no board 'unoo'", "did you mean `uno`?"),
        (
            ["--board", "uno", "--profile", "simd"],
            "--board uno: boards run the profile `mcu`",
            "add --profile mcu",
        ),
    ],
)
def test_boards_that_make_no_sense(digits: Path, arguments: list[str], message: str, hint: str) -> None:
    result = rune("build", digits, *arguments)
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr == f"error: {message}\nhint: {hint}\n"


def test_the_first_layers_in_patches(digits: Path) -> None:
    result = rune("build", digits, "-o", "four.rune", "--profile", "mcu", "--patches", 4, "-v", "--json")
    assert result.exit_code == ExitCode.OK
    facts = json.loads(result.stdout)["patches"]
    record = {
        "count": 4,
        "rows": 1,
        "first": "conv_2d_0",
        "last": "depthwise_conv_2d_1",
        # Of the first layer each patch has three rows of 8 pixels, 15 filters and 9 taps.
        "macs": (4 * 3 - 8) * 8 * 15 * 9,
    }
    assert {name: facts[name] for name in record} == record
    assert facts["arena"] < facts["arena_before"]
    assert "patches: conv_2d_0 to depthwise_conv_2d_1 in 4 patches of 1 row, 4,320" in result.stderr
    container = load(Path("four.rune"))
    assert container.manifest.plans[Profile.MCU].arena == facts["arena"]
    assert "Patches\n  conv_2d_0 to depthwise_conv_2d_1 in 4 patches" in rune("inspect", "four.rune").stdout
    assert "Patches\n  conv_2d_0 to depthwise_conv_2d_1 in 4 patches" in rune("size", "four.rune").stdout
    assert json.loads(rune("size", "four.rune", "--json").stdout)["patches"] == record
    assert rune("verify", "four.rune").exit_code == ExitCode.OK


def test_no_more_ram_than_allowed(digits: Path) -> None:
    options = ("-o", "small.rune", "--profile", "mcu", "--golden-samples", 0, "--json")
    arguments = ("build", digits, *options, "--max-ram")
    assert json.loads(rune(*arguments, 1100).stdout)["patches"]["count"] == 2
    assert load(Path("small.rune")).manifest.plans[Profile.MCU].ram <= 1100
    refused = rune(*arguments, 500)
    assert refused.exit_code == ExitCode.BUDGET
    assert "without, 500 are allowed" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--patches", "1"), "'1' is neither a number from 2 to 32 nor auto"),
        (("--patches", "few"), "'few' is neither a number from 2 to 32 nor auto"),
        (("--patches", "9"), "the rows of no layer part into 9 patches; into 2, 3, 4, 8 some do"),
        (("--patches", "2", "--max-ram", "999"), "both a number of patches and the RAM are given"),
    ],
)
def test_patches_that_cannot_be(digits: Path, arguments: tuple[str, ...], message: str) -> None:
    result = rune("build", digits, "--profile", "mcu", *arguments)
    assert result.exit_code == ExitCode.USAGE
    assert message in result.stderr
    assert not (digits.parent / "reader.rune").exists()
