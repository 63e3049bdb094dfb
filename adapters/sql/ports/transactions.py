"""What the families of ports share: an engine, and a clock that dates audit rows and resolutions."""

from __future__ import annotations

import secrets

from sqlalchemy import Engine

from core.clock import Clock


class Transactions:
    """Each method of a family is one transaction on a connection of its own."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._name = secrets.token_hex(8)  # who holds what is held for a moment
