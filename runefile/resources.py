"""Looks up the resources of a Runefile and reads the files it names."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from container.errors import RunefileError
from runefile.diagnostics import Code, Diagnostics, did_you_mean, near_miss, quoted
from runefile.files import MAXIMUM_MODEL_BYTES, MAXIMUM_TEXT_BYTES, read_regular
from runefile.scalars import ResourceName
from runefile.source import Span
from runefile.syntax import Document, Resource, ResourceKind


class Resources:
    """The resources of one document; each is read once, when it is first used."""

    def __init__(self, document: Document, directory: Path, diagnostics: Diagnostics) -> None:
        self._directory = directory
        self._diagnostics = diagnostics
        self._by_name: dict[str, Resource] = {}
        self._read: dict[str, bytes | None] = {}
        self._used: set[str] = set()
        self._files: dict[str, bytes] = {}
        for resource in document.resources:
            self._add(resource)

    def _add(self, resource: Resource) -> None:
        if resource.name in self._by_name:
            message = f"there is a second resource named {quoted(resource.name)}"
            self._diagnostics.error(Code.DUPLICATE_NAME, message, resource.name_span, "rename one of them")
        self._by_name.setdefault(resource.name, resource)

    def text(self, reference: ResourceName, span: Span) -> str | None:
        """The text of a string resource; None when there is none, which is reported."""
        resource = self._find(reference, span, ResourceKind.STRING)
        data = self._content(resource) if resource else None
        if resource is None or data is None:
            return None
        try:
            return data.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            message = f"{quoted(resource.path or '')} is not UTF-8 at byte {error.start}"
            self._bad(resource, message, "save it as UTF-8, or make the resource binary")
            return None

    def binary(self, reference: ResourceName, span: Span) -> tuple[bytes, str] | None:
        """The bytes of a binary resource and the file they come from (its name, where they are inline)."""
        resource = self._find(reference, span, ResourceKind.BINARY)
        data = self._content(resource) if resource else None
        return None if resource is None or data is None else (data, resource.path or str(reference))

    def file(self, path: str, span: Span, maximum_bytes: int = MAXIMUM_MODEL_BYTES) -> bytes | None:
        """The bytes of a file named in the Runefile; None when it cannot be read, which is reported."""
        try:
            if path not in self._files:
                self._files[path] = read_regular(self._directory / path, maximum_bytes)
            return self._files[path]
        except FileNotFoundError:
            message = f"there is no file {quoted(path)}"
            self._diagnostics.error(Code.FILE, message, span, self._near(path))
        except RunefileError as error:
            self._diagnostics.error(Code.FILE, f"{quoted(path)} {error.message}", span, error.hint)
        return None

    def report_unused(self) -> None:
        for resource in self._by_name.values():
            if resource.name not in self._used:
                message = f"the resource {quoted(resource.name)} is not used"
                hint = f"write ${resource.name} where it belongs, or remove it"
                self._diagnostics.warning(Code.UNUSED_RESOURCE, message, resource.name_span, hint)

    def _find(self, reference: ResourceName, span: Span, kind: ResourceKind) -> Resource | None:
        resource = self._by_name.get(reference.name)
        if resource is None:
            message = f'No definition for "{reference}"'
            hint = did_you_mean(reference.name, self._by_name) or "define it among the resources"
            self._diagnostics.error(Code.NO_SUCH_RESOURCE, message, span, hint)
            return None
        self._used.add(resource.name)
        if resource.kind is not kind:
            message = f'"{reference}" is a {resource.kind} resource, but a {kind} one is needed here'
            self._diagnostics.error(Code.BAD_RESOURCE, message, span, f"declare it as {kind}")
            return None
        return resource

    def _content(self, resource: Resource) -> bytes | None:
        if resource.name not in self._read:
            self._read[resource.name] = self._read_content(resource)
        return self._read[resource.name]

    def _read_content(self, resource: Resource) -> bytes | None:
        if resource.path is not None and resource.inline is not None:
            self._bad(resource, "has a path and an inline value", "remove one of them")
            return None
        if resource.path is not None:
            text = resource.kind is ResourceKind.STRING
            return self.file(
                resource.path, resource.path_span, MAXIMUM_TEXT_BYTES if text else MAXIMUM_MODEL_BYTES
            )
        if resource.inline is None:
            self._bad(resource, "has neither a path nor an inline value", "give it a path")
            return None
        if resource.kind is ResourceKind.STRING:
            return resource.inline.encode()
        try:
            return base64.b64decode("".join(resource.inline.split()), validate=True)
        except (binascii.Error, ValueError):
            self._bad(resource, "has an inline value that is not base64", "give it a path instead")
            return None

    def _bad(self, resource: Resource, problem: str, hint: str) -> None:
        message = f"the resource {quoted(resource.name)} {problem}"
        self._diagnostics.error(Code.BAD_RESOURCE, message, resource.name_span, hint)

    def _near(self, path: str) -> str:
        """A hint with a file that is there and has nearly that name."""
        wanted = self._directory / path
        try:
            names = [entry.name for _, entry in zip(range(200), wanted.parent.iterdir(), strict=False)]
        except (OSError, ValueError):
            return _relative(self._directory)
        return near_miss(wanted.name, names) or _relative(self._directory)


def _relative(directory: Path) -> str:
    return f"paths are relative to the folder of the Runefile, {directory}"
