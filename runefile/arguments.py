"""Checks the arguments of a stage against what the stage understands, and gives them their types."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from container.manifest import Argument as ArgumentValue
from runefile.diagnostics import Code, Diagnostics, did_you_mean, near_miss, nearest, quoted
from runefile.resources import Resources
from runefile.scalars import Literal, ResourceName, Scalar, read_word, written_text
from runefile.signatures import Parameter, ParameterKind
from runefile.syntax import Argument, Stage

_MINIMUM, _MAXIMUM = -(2**63), 2**64 - 1


class _WrongKindError(Exception):
    """A value is not of the kind that a parameter takes; the text says what to do."""


def normalized(name: str) -> str:
    """A name of a block or an argument, in which `-` and `_` mean the same."""
    return name.replace("-", "_").lower()


class ArgumentReader:
    """Reads the arguments of stages."""

    def __init__(self, resources: Resources, diagnostics: Diagnostics) -> None:
        self._resources = resources
        self._diagnostics = diagnostics

    def read(
        self, stage: Stage, parameters: Sequence[Parameter], owner: str
    ) -> Mapping[str, ArgumentValue] | None:
        """Values by canonical name, defaults filled in; None when any is wrong, which is reported."""
        known = {
            normalized(name): parameter
            for parameter in parameters
            for name in (parameter.name, *parameter.aliases)
        }
        values: dict[str, ArgumentValue | None] = {}
        mistaken: set[str | None] = set()
        wrong = False
        for argument in stage.arguments:
            parameter = known.get(normalized(argument.name))
            if parameter is None:
                self._report_unknown(argument, owner, parameters)
                mistaken.add(nearest(normalized(argument.name), known))
                wrong = True
            elif parameter.name in values:
                message = f"{quoted(argument.name)} gives {quoted(parameter.name)} a second value"
                self._diagnostics.error(Code.DUPLICATE_NAME, message, argument.span, "remove one of them")
                wrong = True
            else:
                values[parameter.name] = self._value(argument, parameter)
        meant = {known[name].name for name in mistaken if name is not None}
        for parameter in parameters:
            # One that is there under a mistaken name is not missing too.
            if parameter.name not in meant:
                wrong |= not self._fill(stage, parameter, values, owner)
        found = {name: value for name, value in values.items() if value is not None}
        return None if wrong or len(found) < len(values) else found

    def _fill(
        self, stage: Stage, parameter: Parameter, values: dict[str, ArgumentValue | None], owner: str
    ) -> bool:
        if parameter.name in values:
            return True
        if parameter.default is not None:
            values[parameter.name] = parameter.default
        elif parameter.required:
            message = f"{owner} needs the argument {quoted(parameter.name)}: {parameter.summary}"
            hint = f"add --{parameter.name.replace('_', '-')} with {parameter.kind.value}"
            self._diagnostics.error(Code.MISSING_ARGUMENT, message, stage.target_span, hint)
            return False
        return True

    def _report_unknown(self, argument: Argument, owner: str, parameters: Sequence[Parameter]) -> None:
        message = f"{owner} has no argument {quoted(argument.name)}"
        names = [name for parameter in parameters for name in (parameter.name, *parameter.aliases)]
        hint = did_you_mean(argument.name, names) if names else "it takes no arguments; remove this one"
        self._diagnostics.error(Code.UNKNOWN_ARGUMENT, message, argument.span, hint)

    def _value(self, argument: Argument, parameter: Parameter) -> ArgumentValue | None:
        value = self._substituted(argument, parameter)
        if value is None:
            return None
        try:
            found = _READERS[parameter.kind](value)
        except _WrongKindError as error:
            message = f"{quoted(argument.name)} takes {parameter.kind.value}, not {_shown(value)}"
            self._diagnostics.error(Code.WRONG_ARGUMENT, message, argument.value_span, str(error) or None)
            return None
        return self._chosen(found, argument, parameter) if parameter.choices else found

    def _chosen(self, value: ArgumentValue, argument: Argument, parameter: Parameter) -> str | None:
        # `@PixelFormat::RGB` is how the first Runefiles wrote the member of an enumeration.
        written = str(value)
        word = written.rpartition("::")[2] if written.startswith("@") else written
        chosen = {choice.lower(): choice for choice in parameter.choices}.get(word.lower())
        if chosen is None:
            name = parameter.name.replace("_", " ")
            choices = ", ".join(parameter.choices)
            message = f"Expected the {name} to be one of {choices}, but found {quoted(written)}"
            hint = near_miss(word, parameter.choices)
            self._diagnostics.error(Code.WRONG_ARGUMENT, message, argument.value_span, hint)
        return chosen

    def _substituted(self, argument: Argument, parameter: Parameter) -> Scalar | tuple[Scalar, ...] | None:
        """The value with the text of resources in place of their names."""
        if isinstance(argument.value, tuple):
            items = [self._content(item, argument) for item in argument.value]
            found = tuple(item for item in items if item is not None)
            return found if len(found) == len(items) else None
        text = self._content(argument.value, argument)
        if not isinstance(argument.value, ResourceName) or not isinstance(text, str):
            return text
        if parameter.kind in (ParameterKind.INTEGERS, ParameterKind.NUMBERS):
            return tuple(read_word(line.strip()) for line in _lines(text))
        return text if parameter.kind in (ParameterKind.TEXT, ParameterKind.LIST) else read_word(text.strip())

    def _content(self, value: Scalar, argument: Argument) -> Scalar | None:
        if isinstance(value, ResourceName):
            return self._resources.text(value, argument.value_span)
        return value


def _shown(value: Scalar | tuple[Scalar, ...]) -> str:
    if isinstance(value, tuple):
        return "a list"
    return f"text ({quoted(value)})" if isinstance(value, str) else _written(value)


def _written(value: Scalar) -> str:
    if isinstance(value, str):
        return value
    return value.written if isinstance(value, Literal) else written_text(value)


def _lines(text: str) -> list[str]:
    """Lines of a text without the empty ones at its end."""
    return [line.rstrip() for line in text.rstrip().splitlines()]


def _number(value: Scalar | tuple[Scalar, ...]) -> int | float:
    if isinstance(value, str) and isinstance(read_word(value), Literal):
        raise _WrongKindError("remove the quotes")
    number = value.value if isinstance(value, Literal) else None
    if number is None or isinstance(number, bool):
        raise _WrongKindError
    return number


def _read_integer(value: Scalar | tuple[Scalar, ...]) -> int:
    number = _number(value)
    if not isinstance(number, int):
        raise _WrongKindError("write it without a fraction")
    if not _MINIMUM <= number <= _MAXIMUM:
        raise _WrongKindError("it must fit in 64 bits")
    return number


def _read_number(value: Scalar | tuple[Scalar, ...]) -> float:
    number = float(_number(value))
    if not math.isfinite(number):
        raise _WrongKindError("it must be finite")
    return number


def _read_text(value: Scalar | tuple[Scalar, ...]) -> str:
    if isinstance(value, tuple):
        raise _WrongKindError("text with commas goes in quotes")
    return _written(value)


def _read_boolean(value: Scalar | tuple[Scalar, ...]) -> bool:
    if isinstance(value, Literal) and isinstance(value.value, bool):
        return value.value
    raise _WrongKindError("write true or false")


def _read_list(value: Scalar | tuple[Scalar, ...]) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return tuple(map(_written, value))
    return tuple(_lines(value)) if isinstance(value, str) else (_written(value),)


def _items(value: Scalar | tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    return value if isinstance(value, tuple) else (value,)


_READERS: Mapping[ParameterKind, Callable[[Scalar | tuple[Scalar, ...]], ArgumentValue]] = {
    ParameterKind.INTEGER: _read_integer,
    ParameterKind.NUMBER: _read_number,
    ParameterKind.TEXT: _read_text,
    ParameterKind.BOOLEAN: _read_boolean,
    ParameterKind.LIST: _read_list,
    ParameterKind.INTEGERS: lambda value: tuple(map(_read_integer, _items(value))),
    ParameterKind.NUMBERS: lambda value: tuple(map(_read_number, _items(value))),
}
