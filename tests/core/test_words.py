"""The small words: ids, sensor tags, interned series, dead-letter reasons, errors, values that cannot change."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

import core
from core import errors
from core.deadletter import REASONS
from core.instant import parse_span
from core.place import DEVICE_ID, SLUG, Sensor, sensor_tag
from core.series import SeriesKey, SeriesTable

MODULES = [importlib.import_module(f"core.{m.name}") for m in pkgutil.iter_modules(core.__path__)]
VALUES = [v for m in MODULES for v in vars(m).values() if isinstance(v, type) and dataclasses.is_dataclass(v) and v.__module__ == m.__name__]
LEAVES = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, errors.CanhManError) and v is not errors.CanhManError]


@pytest.mark.parametrize("value", VALUES, ids=lambda v: v.__name__)
def test_values_are_frozen_slotted_and_keyword_only(value: type) -> None:
    """What is passed around cannot be changed, takes no stray attribute, and names its fields where it is made."""
    assert value.__dataclass_params__.frozen
    assert "__slots__" in vars(value)
    assert all(f.kw_only for f in dataclasses.fields(value) if f.init)
    assert value.__doc__
    assert not value.__doc__.startswith(f"{value.__name__}(")


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda e: e.__name__)
def test_errors_have_one_root_and_refine_a_builtin(leaf: type[Exception]) -> None:
    """`except CanhManError` catches all of ours, and each is also the builtin a caller may expect."""
    assert leaf.__mro__[1] is errors.CanhManError
    assert len(leaf.__bases__) == 2
    assert leaf.__bases__[1].__module__ == "builtins"


@pytest.mark.parametrize("error", [errors.JournalFullError("disk full"), errors.UnavailableError("away"), errors.DecodeError("clock", "ahead", key="water.ec")])
def test_an_error_reads_as_its_text(error: Exception) -> None:
    """The text is fit for a person as it is, for those that refine OSError too."""
    assert str(error) == error.args[0]


@pytest.mark.parametrize("reason", REASONS)
def test_reasons_read_in_both_languages(reason: str) -> None:
    """A dead-letter reason is a slug with a text in each language."""
    assert reason.replace("_", "").isalpha()
    assert reason == reason.lower()
    vi, en = REASONS[reason]
    assert vi == unicodedata.normalize("NFC", vi)
    assert vi
    assert en


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (DEVICE_ID, ["kl01", "AA:BB.c_d-1", "x" * 64], ["", "x" * 65, "a/b", "a b", "a+", "#", "đ", "a\n"]),
        (SLUG, ["vithanh", "kenh-lau", "0"], ["", "Kenh", "a_b", "a.b", "x" * 65, "a/b", "kênh", "a\n"]),
    ],
)
def test_ids(pattern, good: list[str], bad: list[str]) -> None:
    """Ids hold nothing that is special in a topic, a path or a line, and end where they end."""
    assert [s for s in good if not pattern.match(s)] == []
    assert [s for s in bad if pattern.match(s)] == []


def test_sensor_tags() -> None:
    """The sensor of channel `main` is called by its device alone."""
    assert Sensor(device="kl01").tag == sensor_tag("kl01", "main") == "kl01"
    assert Sensor(device="kl01", channel="d10").tag == "kl01/d10"


@given(st.lists(st.builds(SeriesKey, *[st.sampled_from("ab")] * 5)))
def test_series_are_interned(keys: list[SeriesKey]) -> None:
    """Law: a key keeps the number it first got, numbers count up from 0, and the number leads back to the key."""
    table = SeriesTable()
    numbers = [table.index(k) for k in keys]
    assert [table.keys[n] for n in numbers] == keys
    assert table.keys == list(dict.fromkeys(keys))
    assert [table.index(k) for k in keys] == numbers


@pytest.mark.parametrize(
    ("text", "ms"),
    [("-7h", -25_200_000), ("+90m", 5_400_000), ("2d", 172_800_000), ("1.5s", 1500), ("250ms", 250), ("0s", 0)],
)
def test_a_span_is_read(text: str, ms: int) -> None:
    """Sign, number and unit."""
    assert parse_span(text) == ms


@pytest.mark.parametrize("text", ["", "7", "h", "7 h", "7H", "1e3s", "--7h", "7h ", "٧h", "9999999999h", "nan s", "7h30m"])
def test_what_is_no_span_is_none(text: str) -> None:
    """Rather none than a guess."""
    assert parse_span(text) is None
