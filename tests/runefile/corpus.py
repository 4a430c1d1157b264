"""The corpus of real Runefiles, by name, and the files that they need beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.shared import SHARED, shared_path

_FOLDER = "rune-corpus/runefiles"

# Named one by one, so that the tests exist, and are skipped, where the corpus is absent.
RUNEFILES = (
    "dsl/gesture.Runefile",
    "dsl/gesture.v0.2.1.Runefile",
    "dsl/inception.Runefile",
    "dsl/microspeech.Runefile",
    "dsl/microspeech.v0.2.1.Runefile",
    "dsl/noop.Runefile",
    "dsl/person_detection.Runefile",
    "dsl/person_detection.v0.2.1.Runefile",
    "dsl/sine.Runefile",
    "dsl/sine.v0.2.1.Runefile",
    "v1/debugging.Runefile.yml",
    "v1/directories-are-zipped-when-used-for-models.Runefile.yml",
    "v1/gesture.Runefile.yml",
    "v1/known-model-formats.Runefile.yml",
    "v1/microspeech.Runefile.yml",
    "v1/model-arguments-should-be-used.Runefile.yml",
    "v1/model-from-resource.Runefile.yml",
    "v1/models-with-multiple-inputs.Runefile.yml",
    "v1/multiple-outputs.Runefile.yml",
    "v1/noop.Runefile.yml",
    "v1/person_detection.Runefile.yml",
    "v1/proc-block-path-dependencies.Runefile.yml",
    "v1/proc-block-with-multiple-inputs-and-outputs.Runefile.yml",
    "v1/resources-in-proc-block-args.Runefile.yml",
    "v1/sine.Runefile.yml",
    "v1/style_transfer.Runefile.yml",
)
COMPILE_FAIL = (
    "image-is-required",
    "missing-input",
    "no-such-resource",
    "pipeline-is-required",
    "self-loop",
    "simple-loop",
    "str-is-not-a-type",
    "there-is-no-version-2",
    "unknown-model-format",
    "version-is-required",
)

_MODELS = {
    "gesture": b"gesture",
    "microspeech": b"microspeech",
    "person_detection": b"person",
    "resources-in-proc-block-args": b"microspeech",
}
"""Beginning of a Runefile's name -> which of the fake models its `model.tflite` is."""


def corpus_file(name: str) -> Path:
    return shared_path(f"{_FOLDER}/{name}")


def compile_fail_folder(name: str) -> Path:
    return shared_path(f"rune-corpus/compile-fail/{name}")


def everything_listed() -> bool:
    """Whether the lists above are those of the folder."""
    folder = SHARED / _FOLDER
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    failing = {path.name for path in (SHARED / "rune-corpus/compile-fail").iterdir()}
    return found == set(RUNEFILES) and failing == set(COMPILE_FAIL)


def placed(source: Path, folder: Path) -> Path:
    """A copy of a Runefile in a folder three levels deep, with fake models and blocks around it."""
    here = folder / "a" / "b" / "c"
    here.mkdir(parents=True)
    for start, model in _MODELS.items():
        if source.name.startswith(start):
            (here / "model.tflite").write_bytes(model)
    for name in ("sine", "sinemodel"):
        (here / f"{name}.tflite").write_bytes(b"sine")
    for name in ("style_predict", "style_transform"):
        (here / f"{name}.tflite").write_bytes(name.encode())
    (here / "identity").mkdir()
    (folder / "examples" / "debugging" / "identity").mkdir(parents=True)
    (folder / "examples" / "sine").mkdir()
    (folder / "examples" / "sine" / "sinemodel.tflite").write_bytes(b"sine")
    return Path(shutil.copy(source, here))
