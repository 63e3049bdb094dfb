"""Device ids from the names that stations have in recorded files."""

from __future__ import annotations

import re
import unicodedata

from core.place import DEVICE_ID


def device_id(station: str) -> str:
    """A station's name as a device id: as it stands where it is valid, else lower case without accents and with `-`.

    Raises ValueError where nothing is left of it.
    """
    if DEVICE_ID.match(station):
        return station
    plain = unicodedata.normalize("NFD", station.replace("đ", "d").replace("Đ", "D")).encode("ascii", "ignore").decode().lower()
    made = re.sub(r"[^a-z0-9._:-]+", "-", plain).strip("-")[:64]
    if not made:
        raise ValueError(f"the station name {station[:40]!r} has no letter or digit that a device id may have")
    return made


class DeviceIds:
    """Device ids by station name. Two names that differ must not meet in one id: the second one is refused."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def __getitem__(self, station: str) -> str:
        """The id of `station`. Raises ValueError."""
        found = self._ids.get(station)
        if found is None:
            found = device_id(station)
            other = self._names.setdefault(found.lower(), station)
            if unicodedata.normalize("NFC", other) != unicodedata.normalize("NFC", station):
                raise ValueError(f"the stations {other[:40]!r} and {station[:40]!r} would both be the device {found!r}; rename one")
            self._ids[station] = found
        return found
