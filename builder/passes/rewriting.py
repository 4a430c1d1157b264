"""Rewrites of a Relax function: rules from a pattern to what replaces it, tried on every expression in order.

A rule sees an expression whose arguments are already rewritten, looks back at what computed them, and either
returns the replacement, having emitted what that needs, or None.  What a rule emits is offered to the rules
as well, so a chain of small rules does what one large rule would.  Nothing is mutated: what the new
expressions no longer use is dead, and removed at the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import tvm
from tvm import relax

from container.errors import CompileError

Rule: TypeAlias = Callable[["Rewriter", Any], Any]
"""Takes the rewriter and an expression; returns its replacement (a variable or constant), or None."""

MOVEMENT = ("relax.reshape", "relax.permute_dims")
"""Operators that only move elements."""


def rewrite(module: Any, rules: Sequence[Rule]) -> Any:
    """The module with its function `main` rewritten."""
    main = _Pass(module["main"], rules).function()
    functions = {
        variable: function for variable, function in module.functions.items() if variable.name_hint != "main"
    }
    rewritten = tvm.IRModule({**functions, "main": main})
    return relax.transform.DeadCodeElimination()(rewritten)


def is_call(expression: Any, *operators: str) -> bool:
    """Whether an expression calls one of these operators."""
    calls = isinstance(expression, relax.Call) and isinstance(expression.op, tvm.ir.Op)
    return calls and expression.op.name in operators


def variables_in(expression: Any) -> list[Any]:
    """The variables that an expression uses, each once."""
    found: list[Any] = []

    def visit(part: Any) -> None:
        if isinstance(part, tvm.ir.Var):
            found.append(part)

    relax.analysis.post_order_visit(expression, visit)
    return found


def substituted(expression: Any, value_of: Callable[[Any], Any]) -> Any:
    """The expression with `value_of` each variable, local or global, in its place."""
    if isinstance(expression, tvm.ir.Var | tvm.ir.GlobalVar):
        return value_of(expression)
    if isinstance(expression, relax.Tuple):
        return relax.Tuple([substituted(field, value_of) for field in expression.fields])
    if isinstance(expression, relax.TupleGetItem):
        return relax.TupleGetItem(substituted(expression.tuple_value, value_of), expression.index)
    if isinstance(expression, relax.Call):
        arguments = [substituted(argument, value_of) for argument in expression.args]
        return relax.Call(
            expression.op, arguments, expression.attrs, expression.ty_args, ret_ty=expression.ty
        )
    return expression


class Rewriter:
    """What rules work with: the function so far, and where to put more of it."""

    def __init__(self, builder: Any, rules: Sequence[Rule]) -> None:
        self._builder = builder
        self._rules = rules
        self._producers: dict[Any, Any] = {}
        self._shared: set[Any] = set()
        self._known: dict[Any, Any] = {}
        self.name = ""
        """Name for what is emitted: that of the variable that is being rewritten."""

    def emit(self, expression: Any) -> Any:
        """The variable or constant that an expression, or what the rules make of it, is bound to."""
        expression = self._builder.normalize(expression)
        for rule in self._rules:
            replacement = rule(self, expression)
            if replacement is not None:
                return replacement
        return self._bind(expression)

    def producer(self, value: Any, *operators: str) -> Any:
        """The call that computed a value, if it is one of these operators; else None."""
        found = self._producers.get(value) if isinstance(value, tvm.ir.Var) else None
        return found if is_call(found, *operators) else None

    def exclusive(self, value: Any) -> bool:
        """Whether the expression at hand is the only user of a value, so that the two may become one."""
        return value not in self._shared

    def share(self, value: Any) -> None:
        """Notes that a value has several users; so has, in effect, what it only rearranges."""
        while isinstance(value, tvm.ir.Var):
            self._shared.add(value)
            call = self.producer(value, *MOVEMENT)
            value = call.args[0] if call is not None else None

    def _bind(self, expression: Any) -> Any:
        key = _key(expression)
        if key is not None and key in self._known:
            self.share(self._known[key])
            return self._known[key]
        variable = self._builder.emit(expression, self.name)
        self._producers[variable] = expression
        if key is not None:
            self._known[key] = variable
        return variable


def _key(expression: Any) -> Any:
    """What two calls have in common that compute the same; None where that is not worth finding out."""
    if not isinstance(expression, relax.Call) or not isinstance(expression.op, tvm.ir.Op):
        return None
    if not all(isinstance(a, (tvm.ir.Var, relax.ShapeExpr)) for a in expression.args):
        return None
    arguments = tuple(a if isinstance(a, tvm.ir.Var) else str(a) for a in expression.args)
    return expression.op.name, arguments, str(expression.attrs), str(expression.ty)


class _Pass:
    """One walk over a function of a single dataflow block."""

    def __init__(self, function: Any, rules: Sequence[Rule]) -> None:
        self._function = function
        self._rules = rules
        self._values: dict[Any, Any] = {parameter: parameter for parameter in function.params}

    def function(self) -> Any:
        builder = relax.BlockBuilder()
        bindings = [binding for block in self._function.body.blocks for binding in block.bindings]
        uses = _uses(bindings, self._function.body.body)
        attributes = dict(self._function.attrs.items()) if self._function.attrs is not None else None
        fault: Exception | None = None
        with builder.function("main", list(self._function.params), attrs=attributes):
            with builder.dataflow():
                try:
                    result = self._rewritten(Rewriter(builder, self._rules), bindings, uses)
                except Exception as error:
                    # TVM complains on stderr of a function that was begun and never ended, so it is ended.
                    fault, result = error, relax.Tuple([])
                result = builder.emit_output(result)
            builder.emit_func_output(result)
        if fault is not None:
            raise fault
        return builder.get()["main"]

    def _rewritten(self, rewriter: Rewriter, bindings: Sequence[Any], uses: Counter[Any]) -> Any:
        """The function's result, after all of its bindings."""
        for binding in bindings:
            self._rewrite(rewriter, binding, uses)
        return self._substituted(self._function.body.body)

    def _rewrite(self, rewriter: Rewriter, binding: Any, uses: Counter[Any]) -> None:
        if not isinstance(binding, relax.VarBinding):
            raise CompileError(f"`{binding.var.name}`: a shape that is only known when running")
        rewriter.name = binding.var.name
        value = self._substituted(binding.value)
        if isinstance(value, (relax.Call, relax.TupleGetItem)):
            value = rewriter.emit(value)
        self._values[binding.var] = value
        if uses[binding.var] > 1:
            rewriter.share(value)

    def _substituted(self, expression: Any) -> Any:
        if isinstance(expression, tvm.ir.Var):
            return self._values.get(expression, expression)
        if isinstance(expression, relax.Tuple):
            return relax.Tuple([self._substituted(field) for field in expression.fields])
        if isinstance(expression, relax.TupleGetItem):
            source = self._substituted(expression.tuple_value)
            if isinstance(source, relax.Tuple):
                return source.fields[expression.index]
            return relax.TupleGetItem(source, expression.index)
        if isinstance(expression, relax.Call):
            arguments = [self._substituted(argument) for argument in expression.args]
            return relax.Call(
                expression.op, arguments, expression.attrs, expression.ty_args, ret_ty=expression.ty
            )
        return expression


def _uses(bindings: Sequence[Any], result: Any) -> Counter[Any]:
    values = [binding.value for binding in bindings if isinstance(binding, relax.VarBinding)]
    return Counter(variable for value in [*values, result] for variable in variables_in(value))
