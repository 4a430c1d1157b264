"""Dataclasses to canonical JSON and back.

Canonical means one text for one value: keys sorted, no spaces, UTF-8, floats as the shortest text that reads
back to the same double, and no field that holds its default.  Reading is strict about what it knows (types,
enumerations, required keys, no duplicate keys, finite numbers) and ignores keys it does not know, so that a
later version may add facts; every complaint names the place, such as `stages[2].inputs[0].output`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from container.errors import ContainerError

T = TypeVar("T")

_SHOWN_CHARACTERS = 40
"""How much of a wrong value a message repeats."""


def encode(value: object) -> bytes:
    """The canonical JSON of a dataclass.  Raises ContainerError for a number that is not finite."""
    try:
        text = json.dumps(
            _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return text.encode()
    except (ValueError, RecursionError) as error:
        raise ContainerError(f"cannot be written as JSON: {error}") from None


def parse(data: bytes) -> object:
    """JSON to plain values.  Raises ContainerError where it is not JSON or says one key twice."""
    try:
        return json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise ContainerError(f"not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise ContainerError("nested too deeply") from None
    except ValueError as error:
        raise ContainerError(f"not JSON: {error}") from None


def decode(kind: type[T], value: object, path: str = "") -> T:
    """The dataclass `kind` from plain values.  Raises ContainerError that begins with the place."""
    try:
        result: T = _decode(kind, value, path)
    except RecursionError:
        raise ContainerError("nested too deeply") from None
    return result


def _plain(value: object) -> object:
    if is_dataclass(value):
        named = {field.name: (field, getattr(value, field.name)) for field in fields(value)}
        return {name: _plain(item) for name, (field, item) in named.items() if item != _default(field)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _default(field: Field[Any]) -> object:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {_shown(key)} stands there twice")
        found[key] = value
    return found


def _refuse_constant(text: str) -> object:
    raise ValueError(f"{text} is not a JSON number")


@cache
def _hints(kind: type) -> dict[str, Any]:
    # `Argument` is recursive; the alias is resolved to a marker that _decode knows.
    return get_type_hints(kind, localns={"Argument": _Argument})


class _Argument:
    """Stands for `container.manifest.Argument`: a scalar or a list of such."""


def _decode(kind: Any, value: object, path: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return None if value is None else _decode(_not_none(kind), value, path)
    if origin is tuple:
        return _decode_tuple(get_args(kind)[0], value, path)
    if origin is not None and issubclass(origin, Mapping):
        return _decode_mapping(get_args(kind), value, path)
    if kind is _Argument:
        return _decode_argument(value, path)
    if is_dataclass(kind):
        return _decode_dataclass(kind, value, path)
    if issubclass(kind, Enum):
        return _decode_enum(kind, value, path)
    return _decode_scalar(kind, value, path)


def _not_none(kind: Any) -> Any:
    return next(member for member in get_args(kind) if member is not NoneType)


def _decode_dataclass(kind: Any, value: object, path: str) -> Any:
    members = _expect(dict, value, path, "an object")
    hints = _hints(kind)
    known = {field.name: field for field in fields(kind)}
    for name, field in known.items():
        if name not in members and _default(field) is MISSING:
            raise ContainerError(f"{_under(path, name)}: is missing")
    return kind(
        **{
            name: _decode(hints[name], item, _under(path, name))
            for name, item in members.items()
            if name in known
        }
    )


def _decode_tuple(kind: Any, value: object, path: str) -> tuple[Any, ...]:
    items = _expect(list, value, path, "a list")
    return tuple(_decode(kind, item, f"{path}[{number}]") for number, item in enumerate(items))


def _decode_mapping(kinds: tuple[Any, ...], value: object, path: str) -> dict[Any, Any]:
    key_kind, kind = kinds
    members = _expect(dict, value, path, "an object")
    return {
        _decode(key_kind, key, path): _decode(kind, item, f"{path}.{key}") for key, item in members.items()
    }


def _decode_argument(value: object, path: str) -> Any:
    if isinstance(value, list):
        return tuple(_decode_argument(item, f"{path}[{number}]") for number, item in enumerate(value))
    if not isinstance(value, (bool, int, float, str)):
        raise _mismatch(path, "a number, text, true, false or a list", value)
    return _decode_scalar(type(value), value, path)


def _decode_enum(kind: type[Enum], value: object, path: str) -> Enum:
    try:
        return kind(value)
    except ValueError:
        raise _mismatch(path, "one of " + ", ".join(str(member.value) for member in kind), value) from None


def _decode_scalar(kind: type, value: object, path: str) -> Any:
    if kind is bool:
        return _expect(bool, value, path, "true or false")
    if kind is str:
        return _text(_expect(str, value, path, "text"), path)
    if isinstance(value, bool):
        raise _mismatch(path, "a number", value)
    if kind is int:
        return _expect(int, value, path, "an integer")
    return _finite(_expect((int, float), value, path, "a number"), path)


def _expect(kind: Any, value: object, path: str, expected: str) -> Any:
    if not isinstance(value, kind):
        raise _mismatch(path, expected, value)
    return value


def _text(text: str, path: str) -> str:
    # A lone surrogate is legal in JSON but can be neither printed nor written.
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ContainerError(f"{path}: half of a surrogate pair is not text")
    return text


def _finite(number: int | float, path: str) -> float:
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise ContainerError(f"{path}: the number is outside of what a double holds")
    return value


def _mismatch(path: str, expected: str, value: object) -> ContainerError:
    return ContainerError(f"{path or 'top level'}: expected {expected}, found {_shown(value)}")


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
