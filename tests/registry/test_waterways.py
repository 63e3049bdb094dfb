"""The shipped waterways load and hang together; a broken file is named."""

from __future__ import annotations

import pytest

from core.errors import ConfigError
from registry.waterways import default_waterways, parse_waterways


def test_shipped_waterways() -> None:
    """Two estuaries, each open to its own sea, and joins that lie on the waterway joined."""
    found = {w.id: w for w in default_waterways()}
    assert {found["hau"].sea, found["cai-lon"].sea} == {"Biển Đông", "Biển Tây"}
    assert {j.waterway for j in found["xa-no"].joins} == {"hau", "cai-lon"}
    for waterway in found.values():
        for join in waterway.joins:
            assert 0 <= join.km <= found[join.waterway].length_km


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[waterway]]\nid = 'a'\n", "waterway 1: length_km, name, sea is missing"),
        ("[[waterway]]\nid = 'a'\nname = 'A'\nsea = ''\nlength_km = 'long'\n", "length_km 'long'"),
        ("[[waterway]]\nid = 'a'\nname = 'A'\nsea = ''\nlength_km = -1\n", "length_km -1"),
        ("[[waterway]]\nid = 'a'\nname = 'A'\nsea = ''\nlength_km = 1\njoins = [{ river = 'b' }]\n", "joins must be written"),
        ("[[waterway]]\nid = 'a'\nname = 'A'\nsea = ''\nlength_km = 1\njoins = [{ waterway = 'b', km = 1 }]\n", "joins 'b', which is not in the file"),
        ("[[waterway]]\nid = 'a'\nname = 'A'\nsea = ''\nlength_km = 1\ncolour = 'brown'\n", "colour 'brown'"),
        ("[[waterways]]\n", "unknown waterways"),
        ("[[waterway]\n", "w.toml"),
    ],
)
def test_broken_files(text: str, words: str) -> None:
    """The error names the table and the field."""
    with pytest.raises(ConfigError, match=words):
        parse_waterways(text.encode(), source="w.toml")
