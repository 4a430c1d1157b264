"""Compiled modules: kept, found again, and never trusted when they could be someone else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from container.cache import cache_folder
from runtime import cache
from runtime.application import Application
from runtime.cache import ModuleCache
from tests.runtime import guests

INPUT = {"features": [[1, 2, 3, 4]]}


def test_found_again(tmp_path: Path) -> None:
    ModuleCache(tmp_path).put("key", b"code")
    assert ModuleCache(tmp_path).get("key") == b"code"
    assert ModuleCache(tmp_path).get("other") is None


def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "cache"
    ModuleCache(root).put("key", b"code")
    assert root.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in root.iterdir()] == [0o600]


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data[:40], lambda _: b"", lambda data: data + b"x"]
)
def test_a_damaged_entry_is_absent(tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    kept = ModuleCache(tmp_path)
    kept.put("key", b"code" * 100)
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(damage(entry.read_bytes()))
    assert kept.get("key") is None


def test_a_folder_others_can_write_to_is_not_used(tmp_path: Path) -> None:
    root = tmp_path / "cache"
    ModuleCache(root).put("key", b"code")
    root.chmod(0o777)
    assert ModuleCache(root).get("key") is None
    ModuleCache(root).put("other", b"code")
    assert len(list(root.iterdir())) == 1


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    kept = ModuleCache(tmp_path / "file" / "cache")
    kept.put("key", b"code")
    assert kept.get("key") is None


def test_the_oldest_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAXIMUM_ENTRIES", 3)
    kept = ModuleCache(tmp_path)
    for number in range(3):
        kept.put(str(number), b"code")
        os.utime(tmp_path / f"{number}.cwasm", (number, number))
    assert kept.get("0") == b"code"  # Now the one that was used last.
    kept.put("3", b"code")
    assert {key for key in "0123" if kept.get(key)} == {"0", "2", "3"}


def test_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNE_CACHE_DIR", "/elsewhere")
    assert cache_folder() == Path("/elsewhere")
    monkeypatch.delenv("RUNE_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/me/.cache")
    assert cache_folder() == Path("/home/me/.cache/rune")


def test_a_container_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNE_CACHE_DIR", str(tmp_path))
    for _ in range(2):
        Application(guests.echo()).close()
    (entry,) = tmp_path.iterdir()
    written = entry.stat()
    with Application(guests.echo()) as application:
        assert application.run(INPUT)["serial"].tolist() == INPUT["features"]
    assert entry.stat().st_ino == written.st_ino


@pytest.mark.parametrize("code", [b"", b"not machine code", b"\x7fELF" + bytes(5000)])
def test_an_entry_that_is_not_wasmtime_s_is_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: bytes
) -> None:
    monkeypatch.setenv("RUNE_CACHE_DIR", str(tmp_path))
    Application(guests.echo()).close()
    (entry,) = tmp_path.iterdir()
    ModuleCache(tmp_path).put(entry.stem, code)
    with Application(guests.echo()) as application:
        assert application.run(INPUT)["serial"].tolist() == INPUT["features"]
    assert ModuleCache(tmp_path).get(entry.stem) != code
