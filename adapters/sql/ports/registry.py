"""What is registered, and who changed it."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from adapters.sql import registry
from adapters.sql.engine import reading, writing
from adapters.sql.ports.transactions import Transactions
from core.place import Deployment, Device, Org, Station, Waterway
from core.ports import AuditRow, RegistrySnapshot


class SqlRegistry(Transactions):
    """Implements Registry."""

    async def version(self) -> int:
        """The number of the last change."""
        if self._engine.dialect.name == "sqlite":
            with suppress(sqlite3.Error, SQLAlchemyError):  # asked once more below, it comes with our words
                return registry.version_at_once(self._engine)
        with reading(self._engine) as c:
            return registry.version(c)

    async def snapshot(self) -> RegistrySnapshot:
        """Everything registered, in one consistent read."""
        with reading(self._engine) as c:
            return registry.snapshot(c)

    async def put(self, *items: Org | Device | Station | Deployment | Waterway, actor: str, why: str = "") -> int:
        """Insert or change these in one transaction. Raises ConflictError or ConfigError, and then changes nothing."""
        with writing(self._engine) as c:
            return registry.put(c, items, actor=actor, why=why, at=self._clock.now_ms())

    async def audit(self, *, limit: int = 100) -> list[AuditRow]:
        """The newest changes first."""
        with reading(self._engine) as c:
            return registry.audit_rows(c, limit)
