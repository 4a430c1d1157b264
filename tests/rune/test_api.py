"""The public API: its names, and what its functions give and raise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rune
from container.errors import ContainerError, RunefileError, UsageError
from rune import api
from tests.rune.commands import EXAMPLES, ROOT
from tests.rune.guests import guest_file

PUBLIC_NAMES = {
    "Application",
    "BoardApplication",
    "BudgetError",
    "CompileError",
    "ContainerError",
    "Flashed",
    "LimitError",
    "Limits",
    "LinkError",
    "Optimization",
    "PortError",
    "Profile",
    "RuneError",
    "RunefileError",
    "SensorError",
    "TrapError",
    "TypedPipeline",
    "UsageError",
    "VerificationError",
    "VerificationReport",
    "__version__",
    "build",
    "check",
    "connect",
    "flash",
    "load",
    "verify",
}


def test_public_names_are_exactly_these() -> None:
    assert set(rune.__all__) == PUBLIC_NAMES == set(dir(rune))
    assert all(getattr(rune, name) is not None for name in PUBLIC_NAMES)


def test_public_names_are_documented() -> None:
    page = (ROOT / "docs" / "python-api.md").read_text()
    assert [name for name in PUBLIC_NAMES - {"__version__"} if f"`{name}" not in page] == []
    assert all(getattr(rune, name).__doc__ for name in PUBLIC_NAMES - {"__version__"})


def test_there_is_no_other_name() -> None:
    with pytest.raises(AttributeError, match="module 'rune' has no attribute 'compile'"):
        rune.compile  # noqa: B018


def test_load_and_run(tmp_path: Path) -> None:
    with rune.load(guest_file(tmp_path)) as application:
        outputs = application.run({"features": np.array([[1, 2, 3, -4]], np.int8)})
    assert outputs["serial"].tolist() == [[1, 2, 3, -4]]


def test_load_refuses_what_is_no_container(tmp_path: Path) -> None:
    with pytest.raises(ContainerError, match="cannot be read"):
        rune.load(tmp_path / "missing.rune")


def test_verify_reports_what_differs(tmp_path: Path) -> None:
    assert rune.verify(guest_file(tmp_path, golden=bytes([1, 2, 3, 4]))).differences == ()
    report = rune.verify(guest_file(tmp_path, golden=bytes([1, 2, 3, 5])))
    assert [difference.index for difference in report.differences] == [(0, 3)]


def test_a_runefile_is_found_in_its_folder() -> None:
    assert api.locate(EXAMPLES / "digits") == EXAMPLES / "digits" / "Runefile"
    assert api.locate(str(EXAMPLES / "sine" / "int8.Runefile")) == EXAMPLES / "sine" / "int8.Runefile"


def test_no_runefile(tmp_path: Path) -> None:
    with pytest.raises(RunefileError, match="there is no Runefile here"):
        rune.check(tmp_path)
    with pytest.raises(RunefileError, match="there is no such file"):
        rune.build(tmp_path / "Runefile")


def test_a_container_is_named_as_the_folder() -> None:
    assert api.default_output(EXAMPLES / "sine" / "int8.Runefile") == Path("sine.rune")
    assert api.default_output(Path("/Runefile")) == Path("app.rune")


@pytest.mark.parametrize(
    ("profiles", "message"), [(["avx"], "'avx' is not a valid Profile"), ([], "no profile is given")]
)
def test_profiles_that_there_are_not(profiles: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        rune.build(EXAMPLES / "sine", "unused.rune", profiles=profiles)
    assert caught.value.hint == "the profiles are simd and mcu"


def test_an_optimization_that_there_is_not() -> None:
    with pytest.raises(UsageError, match="'small' is not a valid Optimization") as caught:
        rune.build(EXAMPLES / "sine", "unused.rune", optimize="small")
    assert caught.value.hint == "expected one of speed, balanced, size"
