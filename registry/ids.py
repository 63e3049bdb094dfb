"""Ids and names: what may be one, how a station's id is made of a device's, and how names are folded for search."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container

from core.errors import ConfigError
from core.place import DEVICE_ID, SLUG

NAME_LENGTH = 200
JOIN_PREFIX = "org:"
"""User names of join keys begin with it (`org:default`); a device's user name is its id, so no id may."""

_SLUG_LENGTH = 64
_NOT_SLUG = re.compile(r"[^a-z0-9-]")


def check_device_id(text: str) -> str:
    """`text`, where it may be a device's id. Raises ConfigError."""
    if not DEVICE_ID.match(text):
        raise ConfigError(f"device id {text!r} is not allowed: 1 to 64 of the letters A-Z a-z, digits and . _ : -")
    if text.startswith(JOIN_PREFIX):
        raise ConfigError(f"device id {text!r} is not allowed: {JOIN_PREFIX} begins the user names of join keys")
    return text


def check_slug(kind: str, text: str) -> str:
    """`text`, where it may be the id of a `kind` (org, station, point, channel …). Raises ConfigError."""
    if not SLUG.match(text):
        raise ConfigError(f"{kind} {text!r} is not allowed: 1 to 64 of the letters a-z, digits and -")
    return text


_TURNS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def check_name(kind: str, text: str) -> str:
    """`text` normalised to NFC, where it may be a name: anything that can be printed, at most 200 characters. Raises ConfigError.

    Quotes, backslashes, commas and emoji are names too; control characters, line separators, turns of direction and lone surrogates are not.
    """
    name = unicodedata.normalize("NFC", text).strip()
    if not name:
        raise ConfigError(f"{kind} is empty: give 1 to {NAME_LENGTH} characters")
    return check_text(kind, name)


def check_text(kind: str, text: str) -> str:
    """As `check_name`, and may be empty. Raises ConfigError."""
    name = unicodedata.normalize("NFC", text).strip()
    if len(name) > NAME_LENGTH:
        raise ConfigError(f"{kind} {name[:40]!r}… has {len(name)} characters: at most {NAME_LENGTH} are allowed")
    # Cf stays: the joiners inside an emoji are format characters. What turns the direction goes: the number after a name would be read backwards
    bad = next((c for c in name if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} or unicodedata.bidirectional(c) in _TURNS), None)
    if bad is not None:
        raise ConfigError(f"{kind} {name!r} holds the control character U+{ord(bad):04X}: take it out")
    return name


def station_id_for(device_id: str, taken: Container[str]) -> str:
    """The id of the station named after a device: lower case, other characters as `-`, at most 64; then `-2`, `-3` … if taken.

    A `-` never stands first or last, for such an id would look like an option; `station` where nothing else is left.
    """
    base = _NOT_SLUG.sub("-", device_id.lower())[:_SLUG_LENGTH].strip("-") or "station"
    found, n = base, 1
    while found in taken:
        n += 1
        suffix = f"-{n}"
        found = base[: _SLUG_LENGTH - len(suffix)] + suffix
    return found


def fold(text: str) -> str:
    """`text` as search compares it: without accents, đ as d, lower case, single spaces (`Kênh  Lầu` → `kenh lau`)."""
    # twice: taking signs apart (㎒) yields capitals, and lower case (İ) yields accents
    return " ".join(_bare(_bare(text).casefold()).replace("đ", "d").split())


def _bare(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
