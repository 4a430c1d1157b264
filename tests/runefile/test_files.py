"""Finding the Runefile, and reading only what may be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import runefile
from container.errors import RunefileError
from runefile import Form
from runefile.files import find_runefile, read_regular


@pytest.mark.parametrize("name", ["Runefile", "Runefile.yml", "Runefile.yaml"])
def test_the_runefile_of_a_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("")
    assert find_runefile(tmp_path) == tmp_path / name


def test_no_runefile(tmp_path: Path) -> None:
    (tmp_path / "Runefile").mkdir()
    with pytest.raises(RunefileError, match="there is no Runefile here"):
        find_runefile(tmp_path)


def test_two_runefiles(tmp_path: Path) -> None:
    (tmp_path / "Runefile").write_text("")
    (tmp_path / "Runefile.yml").write_text("")
    with pytest.raises(RunefileError, match=r"there are Runefile and Runefile\.yml"):
        find_runefile(tmp_path)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("Runefile", Form.TEXT),
        ("a.Runefile", Form.TEXT),
        ("a.YML", Form.YAML),
        ("a.yaml", Form.YAML),
        ("other", Form.YAML),
    ],
)
def test_the_ending_decides_the_form_else_the_content(name: str, form: Form, tmp_path: Path) -> None:
    (tmp_path / name).write_text("# a comment\n\nversion: 1\n")
    assert runefile.parse(tmp_path / name).form is form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("FROM a", Form.TEXT),
        ("  # x\n\n  out serial", Form.TEXT),
        ("model<_,_> a b", Form.TEXT),
        ("image: a", Form.YAML),
        ("run: a", Form.YAML),
        ('"version": 1', Form.YAML),
        ("{version: 1}", Form.YAML),
        ("---\na: b", Form.YAML),
        ("anything else", Form.TEXT),
        ("", Form.TEXT),
    ],
)
def test_the_form_of_a_text(text: str, form: Form) -> None:
    assert runefile.parse(text).form is form


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RunefileError, match="is no regular file"):
        read_regular(tmp_path / "pipe", 10)
    with pytest.raises(RunefileError, match="is a folder"):
        read_regular(tmp_path, 10)
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "nothing", 10)


def test_only_so_many_bytes_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    assert read_regular(tmp_path / "a", 10) == b"0123456789"
    with pytest.raises(RunefileError, match="larger than 9 bytes"):
        read_regular(tmp_path / "a", 9)
