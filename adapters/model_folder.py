"""Trained models in a folder: `<target>/<version>/` with `model.canhman` and `card.json`, and `<target>/speaking.json`, the card of the one that speaks.

A folder is written under another name, synced, and renamed; so is `speaking.json`: a kill at any moment leaves what was there before. Of a target
the files of the KEPT newest models stay, and of the one that speaks; of older ones the card alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING, asdict, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

from core.errors import ConflictError, FormatError, NotFoundError, UnavailableError
from core.forecast import TARGETS
from core.model_card import HeldOut, ModelCard, check_head

KEPT = 3
_MODEL, _CARD, _SPEAKING = "model.canhman", "card.json", "speaking.json"
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}")
_DRAFT_S = 3600.0  # a draft older than this is a dead process's

Mark = tuple[int, int, int]


class ModelFolder:
    """See `core.ports.ModelFiles`. Several processes may read; one at a time writes. Made at the first `keep`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._speaking: dict[str, tuple[Mark, ModelCard]] = {}
        self._checked: dict[tuple[str, str, str], tuple[Mark, str]] = {}  # of files: as they were when they were last read, and what was wrong

    async def keep(self, card: ModelCard, content: bytes) -> ModelCard:
        """See `ModelFiles`."""
        return await asyncio.to_thread(self._keep, card, content)

    async def cards(self) -> list[ModelCard]:
        """See `ModelFiles`."""
        return await asyncio.to_thread(lambda: self.look()[0])

    async def promote(self, card: ModelCard, *, at: int, why: str) -> ModelCard:
        """See `ModelFiles`."""
        return await asyncio.to_thread(self._promote, card, at, why)

    async def note(self, card: ModelCard, *, why: str) -> ModelCard:
        """See `ModelFiles`."""
        return await asyncio.to_thread(self._note, card, why)

    async def speaking(self, target: str) -> ModelCard | None:
        """See `ModelFiles`. One look at the file where it did not change."""
        return self._spoken(target)

    async def content(self, card: ModelCard) -> bytes:
        """See `ModelFiles`."""
        return await asyncio.to_thread(self._content, card)

    async def check(self, card: ModelCard) -> None:
        """See `ModelFiles`. One look at the file where it did not change."""
        path, key = self._place(card) / _MODEL, (card.target, card.version, card.sha256)
        try:
            mark = _mark(path)
        except OSError:
            mark = None
        kept = self._checked.get(key)
        if kept is None or mark is None or kept[0] != mark:
            trouble = ""
            try:
                await asyncio.to_thread(self._content, card)
            except FormatError as error:
                trouble = str(error)
            if mark is None:  # it came back meanwhile: the next look keeps it
                return
            kept = self._checked[key] = mark, trouble
        if kept[1]:
            raise FormatError(kept[1])

    def look(self) -> tuple[list[ModelCard], list[str]]:
        """All cards, the newest first, and what cannot be read, in words."""
        found, troubles = [], []
        for target in TARGETS:
            speaks = None
            try:
                speaks = self._spoken(target)
            except (FormatError, UnavailableError) as error:
                troubles.append(str(error))
            with suppress(FileNotFoundError, NotADirectoryError):
                for path in sorted((self.folder / target).iterdir()):
                    if path.name.startswith(".") or path.name == _SPEAKING:
                        continue
                    try:
                        card = _read(path / _CARD, target)
                    except (FormatError, UnavailableError, FileNotFoundError, NotADirectoryError) as error:
                        troubles.append(str(error))
                    else:
                        found.append(speaks if speaks is not None and speaks.version == card.version else replace(card, promoted_at=None))
        return sorted(found, key=lambda c: (-c.trained_at, c.target, c.version)), troubles

    def _keep(self, card: ModelCard, content: bytes) -> ModelCard:
        check_head(content)
        place = self._place(card)
        kept = replace(card, sha256=hashlib.sha256(content).hexdigest(), promoted_at=None)
        taken = f"{card.target} {card.version} is there: a version is kept once"
        if place.exists():
            return self._mend(kept, content, ConflictError(taken))
        draft = place.with_name(f".{card.version}.{os.getpid()}.new")
        try:
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(mode=0o700, parents=True)
            _write(draft / _MODEL, content)
            _write(draft / _CARD, _text(kept))
            _sync(draft)
            os.rename(draft, place)  # fails where the folder is there
            _sync(place.parent)
        except OSError as error:
            if place.exists():
                raise ConflictError(taken) from error
            raise UnavailableError(f"{place}: {error.strerror}") from error
        self._clear(card.target)
        return kept

    def _mend(self, card: ModelCard, content: bytes, taken: ConflictError) -> ModelCard:
        """Write anew what of a version that is there is damaged or gone, where `content` is what was kept. Raises `taken`."""
        damaged = {_MODEL: content}
        try:
            there = self._known(card)
        except (FormatError, NotFoundError):
            speaks = None
            with suppress(FormatError):
                speaks = self._spoken(card.target)
            there = speaks if speaks is not None and speaks.version == card.version else card
            damaged[_CARD] = _text(there)
        else:
            with suppress(FormatError, NotFoundError):
                self._content(there)
                raise taken
        if there.sha256 != card.sha256:
            raise taken
        for name, text in damaged.items():
            self._replace(self._place(card) / name, text)
        return there

    def _clear(self, target: str) -> None:
        """Files of old models, and drafts of dead processes."""
        with suppress(OSError, FormatError, UnavailableError):
            speaks = self._spoken(target)
            cards = [c for c in self.look()[0] if c.target == target]
            for card in cards[KEPT:]:
                if speaks is None or card.version != speaks.version:
                    (self._place(card) / _MODEL).unlink(missing_ok=True)
            place = self.folder / target
            for draft in (*place.glob(".*.new"), *place.glob("*/.*.new")):
                if time.time() - draft.stat().st_mtime > _DRAFT_S:
                    shutil.rmtree(draft, ignore_errors=True) if draft.is_dir() else draft.unlink(missing_ok=True)

    def _promote(self, card: ModelCard, at: int, why: str) -> ModelCard:
        self._content(card)  # what cannot be read must not come to speak
        speaks = replace(self._known(card), promoted_at=at, why=why)
        self._replace(self.folder / card.target / _SPEAKING, _text(speaks))  # this decides; the card beside the model follows
        self._replace(self._place(card) / _CARD, _text(speaks))
        return speaks

    def _note(self, card: ModelCard, why: str) -> ModelCard:
        noted = replace(self._known(card), promoted_at=None, why=why)
        self._replace(self._place(card) / _CARD, _text(noted))
        return noted

    def _spoken(self, target: str) -> ModelCard | None:
        path = self.folder / target / _SPEAKING
        try:
            mark = _mark(path)
            kept = self._speaking.get(target)
            if kept is None or kept[0] != mark:
                kept = self._speaking[target] = mark, _read(path, target)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise UnavailableError(f"{path}: {error.strerror}") from error
        return kept[1]

    def _content(self, card: ModelCard) -> bytes:
        path = self._place(card) / _MODEL
        known = self._known(card)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise NotFoundError(f"{path} is gone: train anew with canhman train, or take it from the backup") from None
        except OSError as error:
            raise UnavailableError(f"{path}: {error.strerror}") from error
        try:
            check_head(content)
        except FormatError as error:
            raise FormatError(f"{path}: {error}") from error
        found = hashlib.sha256(content).hexdigest()
        if found != known.sha256:
            raise FormatError(f"{path} is not what was kept (sha256 {found[:12]}, expected {known.sha256[:12]}): take it from the backup, or train anew")
        return content

    def _known(self, card: ModelCard) -> ModelCard:
        try:
            return _read(self._place(card) / _CARD, card.target)
        except FileNotFoundError:
            raise NotFoundError(f"no model of {card.target} has the version {card.version!r}; canhman models shows them") from None

    def _place(self, card: ModelCard) -> Path:
        if card.target not in TARGETS or _VERSION.fullmatch(card.version) is None:  # they become folders
            known = f"targets are {', '.join(TARGETS)}, versions letters, digits and . _ + -"
            raise FormatError(f"a model of {card.target!r} with version {card.version!r}: {known}")
        return self.folder / card.target / card.version

    def _replace(self, path: Path, content: bytes) -> None:
        draft = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            _write(draft, content)
            draft.replace(path)
            _sync(path.parent)
        except OSError as error:
            raise UnavailableError(f"{path}: {error.strerror}") from error


def _mark(path: Path) -> Mark:
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _text(card: ModelCard) -> bytes:
    return (json.dumps(asdict(card), ensure_ascii=False, indent=1) + "\n").encode()


def _read(path: Path, target: str) -> ModelCard:
    """Raises FormatError; FileNotFoundError where there is none."""
    try:
        card = _card(json.loads(path.read_text("utf-8")))
        if card.target != target:
            raise ValueError(f"it is of {card.target}")
        if path.name == _CARD and card.version != path.parent.name:
            raise ValueError(f"it is of version {card.version}")
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise FormatError(f"{path} is no card of a model ({error}): take it from the backup, or remove {path.parent} and train anew") from error
    return card


def _card(document: Mapping[str, Any]) -> ModelCard:
    held = document["held_out"]
    _checked(document, _CARD_KINDS, ModelCard)
    if held is not None:
        _checked(held, _HELD_KINDS, HeldOut)
    lists = {name: tuple(document[name]) for name in ("stations", "drivers")}
    return ModelCard(**{**document, **lists, "held_out": None if held is None else HeldOut(**held)})


def _checked(values: Mapping[str, Any], kinds: Mapping[str, Callable[[Any], bool]], of: type) -> None:
    """Raises ValueError. What has a default may be left out: cards of an older version."""
    known = {f.name: f.default is MISSING and f.default_factory is MISSING for f in fields(of)}
    if not set(values) <= set(known) or any(name not in values for name, needed in known.items() if needed):
        raise ValueError("other entries than a card has")
    for name, value in values.items():
        if not kinds[name](value):
            raise ValueError(f"{name} is {value!r}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LATEST


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_day(value: Any) -> bool:
    return isinstance(value, str) and (not value or date.fromisoformat(value).isoformat() == value)


def _or_none(kind: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or kind(value)


_LATEST = 253_402_300_799_000  # ms: the end of 9999, the last that is a date
_CARD_KINDS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("target", "model", "version", "source", "sha256", "why", "inputs"), _is_text),
    **dict.fromkeys(("data_from", "data_until"), _is_day),
    **dict.fromkeys(("trained_at", "rows"), _is_whole),
    **dict.fromkeys(("stations", "drivers"), _is_list),
    "promoted_at": _or_none(_is_whole),
    "held_out": lambda value: value is None or isinstance(value, dict),
    "unused": lambda value: isinstance(value, dict) and _is_list([*value, *value.values()]),
}
_HELD_KINDS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("since", "until"), _is_day),
    "n": _is_whole,
    **dict.fromkeys(("crps", "baseline", "coverage90"), _is_number),
    **dict.fromkeys(("spoke", "error"), _or_none(_is_number)),
    "baseline_name": _is_text,
}
