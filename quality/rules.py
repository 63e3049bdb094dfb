"""Which parameters hold for which series: the tests, their defaults, `config/qc.toml`, a station's own section."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import quality.tests
from core.agreement import RELATIONS, Relation
from core.derived import DERIVED, Derived
from core.errors import ConfigError
from core.plugins import collect
from core.quantities import QUANTITIES
from core.series import SeriesKey
from quality.qc import Floats, QcTest


def explained(tests: dict[str, QcTest]) -> dict[str, QcTest]:
    """The same tests. Raises ConfigError where one leaves a parameter without a sentence in `about`, or explains one it does not have."""
    for name, test in tests.items():
        for wrong in sorted(set(test.params) ^ set(test.about)):
            lacks = "has no sentence for" if wrong in test.params else "explains"
            way = "say there what it is, with its unit" if wrong in test.params else "`params` has none of this name"
            raise ConfigError(f"quality/tests/{name}.py: `about` {lacks} the parameter `{wrong}`; {way}")
    return tests


TESTS: dict[str, QcTest] = explained(collect(quality.tests, "TEST", QcTest))

# (test, quantity) → parameters; (station, test, quantity) → parameters
_General = dict[tuple[str, str], dict[str, float]]
_Local = dict[tuple[str, str, str], dict[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class QcConfig:
    """The parsed configuration. `hash` is recorded with every judgement."""

    general: _General
    local: _Local
    approved_by: str
    hash: str
    tests: Mapping[str, QcTest] = field(default_factory=lambda: TESTS)

    def params(self, test: QcTest, station: str, quantity: str) -> dict[str, float]:
        """The parameters of one test for one quantity at one station: defaults, general, local, in this order."""
        base = dict(test.params)
        if test.name == "range":  # what the thing itself can be is the registry's word
            base |= {"fail_low": QUANTITIES[quantity].low, "fail_high": QUANTITIES[quantity].high}
        return base | self.general.get((test.name, quantity), {}) | self.local.get((station, test.name, quantity), {})


def parse(document: Mapping[str, Any], *, tests: Mapping[str, QcTest] = TESTS, where: str = "qc.toml") -> QcConfig:
    """Read a parsed `qc.toml`. Raises ConfigError for an unknown test, quantity or parameter, or one that makes no sense."""
    general: _General = {}
    local: _Local = {}
    for name, section in document.items():
        if name == "approved_by":
            continue
        if name == "station":
            for station, own in _stations(section, where).items():
                for (test, quantity), params in _sections(own, tests, f"{where}: station.{station}").items():
                    local[(station, test, quantity)] = params
        else:
            general |= _sections({name: section}, tests, where)
    canonical = json.dumps({"document": document, "defaults": {t.name: dict(t.params) for t in tests.values()}}, sort_keys=True, ensure_ascii=False)
    config = QcConfig(
        general=general,
        local=local,
        approved_by=str(document.get("approved_by", "")),
        hash=hashlib.sha256(canonical.encode()).hexdigest()[:12],
        tests=tests,
    )
    for station, test, quantity in [("", t, q) for t, q in general] + list(local):
        try:
            tests[test].check(config.params(tests[test], station, quantity))
        except ValueError as error:
            raise ConfigError(f'{where}: {test}."{quantity}"{f" of station {station}" if station else ""}: {error}') from error
    return config


def _stations(section: Any, where: str) -> Mapping[str, Mapping[str, Any]]:
    if not isinstance(section, Mapping) or not all(isinstance(own, Mapping) for own in section.values()):
        raise ConfigError(f'{where}: station needs a section per station and test, e.g. [station.kenh-lau.stuck."water.ec"]')
    return section


def _sections(document: Mapping[str, Any], tests: Mapping[str, QcTest], where: str) -> _General:
    found: _General = {}
    for test, quantities in document.items():
        if test not in tests:
            raise ConfigError(f"{where}: no QC test is called {test!r}; known: {', '.join(sorted(tests))}")
        if not isinstance(quantities, Mapping):
            raise ConfigError(f'{where}: {test} needs a section per quantity, e.g. [{test}."water.ec"]')
        for quantity, params in quantities.items():
            if quantity not in QUANTITIES:
                raise ConfigError(f"{where}: {test}: no quantity is called {quantity!r}")
            found[(test, quantity)] = _numbers(params, tests[test], f'{where}: {test}."{quantity}"')
    return found


def _numbers(params: Any, test: QcTest, where: str) -> dict[str, float]:
    if not isinstance(params, Mapping):
        raise ConfigError(f"{where} must be a section of parameters, found {params!r}")
    for name, value in params.items():
        if name not in test.params:
            raise ConfigError(f"{where}: no parameter {name!r}; known: {', '.join(test.params)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"{where}: {name} must be a number, found {value!r}")
    return {name: float(value) for name, value in params.items()}


class Rules:
    """Parameter and source columns for a growing list of series: row i stands for `keys[i]`."""

    def __init__(self, config: QcConfig, keys: Sequence[SeriesKey]) -> None:
        self.config = config
        self.keys = keys
        self.windowed = np.zeros(0, dtype=np.bool_)  # whether a test that needs context applies to the series
        self._index: dict[SeriesKey, int] = {}
        self._columns: dict[str, dict[str, Floats]] = {t: {p: np.zeros(0) for p in test.params} for t, test in config.tests.items()}
        # of each derived quantity, and of each relation, (k, sources): the series it is told by, -1 where it is another quantity
        self.sources = [np.zeros((0, len(d.sources)), dtype=np.int32) for d in DERIVED]
        self.related = [np.zeros((0, len(r.sources)), dtype=np.int32) for r in RELATIONS]

    def grow(self) -> None:
        """Take in keys appended since the last call; costs nothing where there are none."""
        known = len(self._index)
        if known == len(self.keys):
            return
        new = self.keys[known:]
        for i, key in enumerate(new, known):
            self._index[key] = i
        # ten thousand stations have the same few parameters: of each kind they are looked up once
        apart = {station for station, _, _ in self.config.local}
        kinds: dict[tuple[str, str], int] = {}
        kind = np.array([kinds.setdefault((key.station if key.station in apart else "", key.quantity), len(kinds)) for key in new], dtype=np.intp)
        windowed = np.zeros(len(new), dtype=np.bool_)
        for name, test in self.config.tests.items():
            rows = [self.config.params(test, station, quantity) for station, quantity in kinds]
            if test.needs_context:
                windowed |= np.array([_applies(test, row) for row in rows], dtype=np.bool_)[kind]
            for param, column in self._columns[name].items():
                self._columns[name][param] = np.concatenate([column, np.array([row[param] for row in rows], dtype=np.float64)[kind]])
        self.windowed = np.append(self.windowed, windowed)
        for told in (self.sources, self.related):
            told[:] = [np.concatenate([column, np.full((len(new), column.shape[1]), -1, dtype=np.int32)]) for column in told]
        for i, key in enumerate(new, known):
            self._link(i, key, DERIVED, self.sources)
            self._link(i, key, RELATIONS, self.related)

    def index(self, key: SeriesKey) -> int:
        """The number of `key`; −1 where it is none of the list, as of the last `grow`."""
        return self._index.get(key, -1)

    def _link(self, i: int, key: SeriesKey, told: Sequence[Derived | Relation], columns: list[NDArray[np.int32]]) -> None:
        """The sources of series i, and the series that i is a source of: either may be registered first."""
        for by, column in zip(told, columns, strict=True):
            if key.quantity == by.quantity:
                column[i] = [self._index.get(key._replace(quantity=source), -1) for source in by.sources]
            if key.quantity in by.sources:
                target = self._index.get(key._replace(quantity=by.quantity))
                if target is not None:
                    column[target, by.sources.index(key.quantity)] = i

    def params(self, test: str, series: NDArray[np.int32]) -> dict[str, Floats]:
        """The parameters of `test`, one value per row of `series` (n,)."""
        return {name: column[series] for name, column in self._columns[test].items()}


def _applies(test: QcTest, params: Mapping[str, float]) -> bool:
    """False where none of the parameters that must be configured is: then the test says nothing of any row."""
    must = [name for name, default in test.params.items() if math.isnan(default)]
    return not must or not all(math.isnan(params[name]) for name in must)
