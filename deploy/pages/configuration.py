"""Configuration: every key of every TOML file, as its parser knows it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import msgspec

from alerts import config as alert_rules
from alerts.config import AlertRules
from analytics import crops, forecast_config, ground
from analytics.crops import Crop, Crops
from analytics.figure import Figure
from analytics.forecast_config import Training
from canhman.configuration import FILES, read_alerts, read_crops, read_qc, read_risk
from core import risk as verdict
from core.bands import LINES
from core.parameter import parameters
from core.risk import Risk
from deploy.page import Page, approved, mark, table
from firmware_sim import network_file
from quality.rules import TESTS
from registry.waterways import ABOUT

# file → what it holds, who reads it, when it is read again
FILES_ABOUT = {
    "alerts.toml": ("When alerts open and clear.", "`alerts`", "at SIGHUP"),
    "crops.toml": ("What salt does to crops, and what is assumed of a field.", "`serve`", "at SIGHUP"),
    "forecast.toml": ("Which series drive the forecasts, and when models learn anew.", "`forecast`, `train`, `doctor`", "at SIGHUP"),
    "network.toml": ("The simulated network.", "`simulate`, `demo`", "never"),
    "qc.toml": ("Parameters of quality control.", "`ingest`, `judge`", "at SIGHUP; then `canhman judge --again`"),
    "risk.toml": ("The numbers behind the verdict.", "`serve`, `alerts`", "at SIGHUP"),
    "waterways.toml": ("Rivers and canals of a new installation.", "`ingest`, `demo`", "never: what is registered stays"),
}


def body() -> str:
    """The page below its head."""
    files = table(("File", "What it holds", "Read by", "Read again"), ((f"[{name}](#{name.replace('.', '')})", *FILES_ABOUT[name]) for name in FILES))
    return f"""The files are in the wheel. A file of the same name in the folder of `CANHMAN_CONFIG` replaces the shipped one, whole: copy it there and change
it. An unknown key, a value of another kind, or one out of bounds is an error that names it; so is a file there that no one reads. A service that cannot read a
file again keeps what it had and says so. Every verdict, alert and judgement records the hash of its numbers. While `approved_by` is empty the numbers are
nobody's but ours.

{files}

## alerts.toml

{approved(read_alerts(None).approved_by)} How they work together: [alerts.md](alerts.md). `lines` are out of {", ".join(f"{line:g}" for line in LINES)}.

{_numbers(AlertRules, alert_rules.ORDERED)}

## crops.toml

{approved(read_crops(None).approved_by)} What it is for: [soil.md](soil.md). One `[[crop]]` each, with its `[[crop.stage]]`s.

{_numbers(Crops, ())}

{table(("Figure of a crop", "Unit", "Bounds", "What it is"), ((mark(name), about.unit, about.bounds, about.text) for name, about in crops.FIGURES.items()))}

Each figure is a table `{{ value = …, source = …, verified = …, approved_by = … }}`; `threshold` and `slope` come together or not at all.

{table(("Key", "What it is"), ((mark(key), text) for key, text in crops.ABOUT.items()))}

As shipped; `?` stands at a figure that nobody has held against its source yet:

{table(("Crop", *(f"{mark(name)}, {about.unit}" for name, about in crops.FIGURES.items()), "Sensitive stages"), map(_crop, read_crops(None).crops))}

`[ground]`, what is assumed of a field where nobody measured it; figures as above:

{table(("Figure of the ground", "As shipped", "Unit", "Bounds", "What it is"), _ground())}

## forecast.toml

How models learn and come to speak: [training.md](training.md). `[training]`:

{_keys(Training)}

Besides: {_order(forecast_config.ORDERED)}; {_order(forecast_config.LESS, "<")}. One `[[driver]]` for each series that moves the water:

{table(("Key", "What it is"), ((mark(key), text) for key, text in forecast_config.DRIVER_ABOUT.items()))}

## risk.toml

{approved(read_risk(None).approved_by)} Whoever approves other numbers may be stricter than the bounds, not looser.

{_numbers(Risk, verdict.ORDERED)}

## qc.toml

{approved(read_qc(None).approved_by)} One section per test and quantity, `[stuck."water.ec"]`; a station may have its own,
`[station.kenh-lau.stuck."water.ec"]`. A test without the parameters it needs says nothing: `canhman doctor` names those that a
file of your own, older than they are, leaves out. Copy their sections into it at an upgrade.
What is shipped for which quantity: [quality.md](quality.md#parameters-as-shipped).

{table(("Test", "Key", "Default", "What it is"), _qc())}

`approved_by` is the name of who stands behind the numbers.

## waterways.toml

One `[[waterway]]` each. Nobody has approved what is shipped (*chưa được duyệt*).

{table(("Key", "What it is"), ((mark(key), text) for key, text in ABOUT.items()))}

## network.toml

What `canhman simulate` and `canhman demo` simulate. `[[waterways]]` and `[[stations]]` repeat.

{table(("Key", "Form", "Default", "What it is"), _network(network_file.NetworkFile, ""))}"""


def _crop(crop: Crop) -> tuple[str, ...]:
    figures = (_figure(getattr(crop, name)) for name in crops.FIGURES)
    stages = ((mark(s.id), f" ({_figure(s.threshold)})" if s.threshold else "") for s in crop.stages if s.is_sensitive)
    return (mark(crop.id), *figures, ", ".join(map("".join, stages)))


def _ground() -> Iterator[tuple[str, ...]]:
    shipped = read_crops(None).ground
    for name, about in ground.FIGURES.items():
        yield mark(name), _figure(getattr(shipped, name)), about.unit, about.bounds, about.text


def _figure(figure: Figure | None) -> str:
    return f"{figure.value:g}{'' if figure.verified else ' ?'}" if figure else ""


def _numbers(kind: Any, ordered: tuple[tuple[str, str], ...]) -> str:
    besides = f"Besides: {_order(ordered)}. " if ordered else ""
    return f"""{_keys(kind)}

{besides}`approved_by` is the name of who stands behind the numbers."""


def _order(ordered: tuple[tuple[str, str], ...], sign: str = "≤") -> str:
    return "; ".join(f"`{low}` {sign} `{high}`" for low, high in ordered)


def _keys(kind: Any) -> str:
    types = {f.name: f for f in fields(kind)}
    rows = (
        (mark(name), mark(_shown(types[name].default)), about.unit, ", ".join(filter(None, (_whole(types[name].type), about.bounds))), about.text)
        for name, about in parameters(kind).items()
    )
    return table(("Key", "Default", "Unit", "Bounds", "What it does"), rows)


def _whole(annotation: Any) -> str:
    return "whole" if annotation in ("int", int) else ""


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:g}"
    return f"[{', '.join(map(_shown, value))}]" if isinstance(value, tuple) else str(value)


def _qc() -> Iterator[tuple[str, ...]]:
    for test in TESTS.values():
        for name, default in test.params.items():
            of_the_quantity = test.name == "range" and name in ("fail_low", "fail_high")  # as quality.rules fills them in
            missing = "from [quantities.md](quantities.md)" if of_the_quantity else "none"
            yield mark(test.name), mark(name), mark(_shown(default)) or missing, test.about[name]


def _network(kind: Any, prefix: str) -> Iterator[tuple[str, ...]]:
    struct_info: Any = msgspec.inspect.type_info(kind)
    for f in struct_info.fields:
        inner: Any = f.type
        about = ""
        if isinstance(inner, msgspec.inspect.Metadata):
            inner, about = inner.type, (inner.extra_json_schema or {}).get("description", "")
        default = "" if f.required or f.default in (None, "") else "empty" if f.default is msgspec.NODEFAULT else mark(_text(f.default))
        parts = inner.types if isinstance(inner, msgspec.inspect.UnionType) else (inner,)
        struct = next((s for s in (getattr(part, "item_type", part) for part in parts) if isinstance(s, msgspec.inspect.StructType)), None)
        yield mark(f"{prefix}{f.encode_name}"), _form(parts[0]), "required" if f.required else default, about
        if struct is not None:
            yield from _network(struct.cls, f"{prefix}{f.encode_name}.")


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _form(kind: Any) -> str:
    names = {"IntType": "whole number", "FloatType": "number", "StrType": "text", "DateTimeType": "time", "StructType": "table"}
    name = type(kind).__name__
    return names.get(name) or f"list of {_form(kind.item_type)}s"


PAGE = Page(
    title="Configuration",
    about="Every key of the TOML files: default, unit, bounds, what it does, and who approved it.",
    source=", ".join(
        f"`{path}`"
        for path in (
            "config/",
            "core/risk.py",
            "alerts/config.py",
            "analytics/crops.py",
            "analytics/forecast_config.py",
            "quality/tests/",
            "registry/waterways.py",
            "firmware_sim/network_file.py",
        )
    ),
    body=body,
)
