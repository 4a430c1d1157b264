"""The proc blocks that a Runefile may name: those of `builder/blocks`, and the user's own files."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import builder.blocks
from builder.blocks.base import Block, block_classes


class Catalog:
    """Satisfies `runefile.signatures.BlockCatalog`."""

    def names(self) -> Sequence[str]:
        """Names of the built-in blocks, sorted."""
        return sorted(block.name for block in self._blocks.values())

    def find(self, name: str) -> Block | None:
        """The built-in block of that name (`-` and `_` mean the same), or None."""
        return self._blocks.get(_key(name))

    def load(self, path: Path) -> Block:
        """The user's own block at a path, see `builder/user_blocks/`.

        Raises FileNotFoundError when there is no such file, CompileError when it is no proc block.
        """
        from builder.user_blocks import load_block

        return load_block(path)

    @cached_property
    def _blocks(self) -> Mapping[str, Block]:
        """Built-in blocks by key: each concrete class in the files of the folder."""
        blocks: dict[str, Block] = {}
        for found in sorted(pkgutil.iter_modules(builder.blocks.__path__), key=lambda found: found.name):
            module = importlib.import_module(f"builder.blocks.{found.name}")
            blocks.update((_key(kind.name), kind()) for kind in block_classes(module))
        return blocks


def _key(name: str) -> str:
    return name.replace("-", "_")


CATALOG = Catalog()
"""What the checker and the builder look blocks up in."""
