"""What is inside a container: the facts, and a page of text for people."""

from __future__ import annotations

import json
from typing import Any

from container import golden
from container.manifest import Argument, Manifest, MemoryPlan, ModelRecord, StageKind, StageRecord
from container.sections import Container
from rune.text import patches_line, size, table


def facts(container: Container) -> dict[str, Any]:
    """Everything as plain values: the manifest as it is in the file, and what the file holds beside it."""
    return {
        "sha256": container.digest,
        "manifest": json.loads(container.manifest.to_json()),
        "modules": {profile.value: len(module) for profile, module in container.modules.items()},
        "golden": {
            "vectors": _golden_count(container),
            "engines": list(container.manifest.golden_engines),
        },
    }


def page(container: Container) -> str:
    """The same for people, without a line break at the end."""
    manifest = container.manifest
    parts = [
        f"{manifest.name}: a container of ABI {manifest.abi}, sha256 {container.digest}",
        _section("Pipeline", table([_stage(stage) for stage in manifest.stages])),
        _section("Models", table([_model(model) for model in manifest.models])) if manifest.models else "",
        _section("Memory", _memory(container)),
        _section("Work by stage", _work(next(iter(manifest.plans.values())))) if manifest.plans else "",
        _section("Patches", patches_line(manifest.patches)) if manifest.patches else "",
        _section("Golden vectors", _golden(container)),
        _section("Built with", table(_built_with(manifest))),
    ]
    return "\n\n".join(part for part in parts if part)


def _section(title: str, body: str) -> str:
    return "\n".join([title, *(f"  {line}".rstrip() for line in body.splitlines())])


def _stage(stage: StageRecord) -> list[str]:
    types = " -> ".join(", ".join(map(str, kinds)) for kinds in (stage.input_types, stage.outputs) if kinds)
    if stage.kind is StageKind.CAPABILITY:
        types = f"source {stage.port} -> {types}"
    quantized = [f"({kind.quantization})" for kind in stage.outputs if kind.quantization]
    arguments = [f"--{name} {_argument(value)}" for name, value in sorted(stage.arguments.items())]
    return [stage.name, stage.kind, stage.target, " ".join([types, *quantized, *arguments])]


def _argument(value: Argument) -> str:
    if isinstance(value, tuple):
        shown = ",".join(map(_argument, value))
        return shown if len(shown) <= 60 else f"{shown[:57]}..."
    if isinstance(value, str) and (not value.isprintable() or " " in value):
        return json.dumps(value, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _model(model: ModelRecord) -> list[str]:
    licence = f"licence {model.licence}" if model.licence else "licence not stated"
    return [model.stage, model.file, model.format, size(model.bytes), licence, f"sha256 {model.sha256[:16]}"]


def _built_with(manifest: Manifest) -> list[list[str]]:
    tools = [[name, version] for name, version in sorted(manifest.tools.items())]
    return [["code", manifest.optimization.words], *tools]


def _memory(container: Container) -> str:
    plans = container.manifest.plans
    rows = {
        "code and data in the file": [len(container.modules[profile]) for profile in plans],
        "linear memory": [plan.linear_memory for plan in plans.values()],
        "of it weights and tables": [plan.read_only for plan in plans.values()],
        "of it activations": [plan.arena for plan in plans.values()],
        "of it stack": [plan.stack for plan in plans.values()],
    }
    if any(plan.state for plan in plans.values()):
        rows["of it state between runs"] = [plan.state for plan in plans.values()]
    header = ["profile", *(profile.value for profile in plans)]
    return table(
        [header, *([name, *map(size, counts)] for name, counts in rows.items())], right=range(1, len(header))
    )


def _work(plan: MemoryPlan) -> str:
    """Operators, multiply-accumulates and the high-water mark of the activations, by stage."""
    rows = [["stage", "operators", "MACs", "activations up to"]]
    for stage in dict.fromkeys(operator.stage for operator in plan.operators):
        operators = [operator for operator in plan.operators if operator.stage == stage]
        macs = sum(operator.macs for operator in operators)
        highest = max(operator.arena_bytes for operator in operators)
        rows.append([stage, str(len(operators)), f"{macs:,}", size(highest)])
    return table(rows, right=(1, 2, 3))


def _golden_count(container: Container) -> int:
    if container.golden is None:
        return 0
    return len(golden.parse(container.golden, container.manifest))


def _golden(container: Container) -> str:
    count = _golden_count(container)
    if not count:
        return (
            "none: no independent engine was installed when it was built (`pip install rune-tinyml[golden]`)"
        )
    return f"{count}, computed by {' and '.join(container.manifest.golden_engines)}"
