"""The command line as people use it: arguments in, exit code and words out, on an installation of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from adapters.sql.database import SqlDatabase, open_database
from adapters.sql.schema import prepare
from canhman import cli

_configure = structlog.configure


def _configure_for_now(**settings: Any) -> None:
    """A logger that is cached keeps the standard error of this one test, which other tests would find closed."""
    _configure(**settings | {"cache_logger_on_first_use": False})


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.out)

    @property
    def line(self) -> str:
        """The one line of a failure: exit code 1, nothing else on standard error."""
        assert (self.code, self.out) == (1, ""), self
        assert self.err.startswith("canhman: "), self.err
        assert self.err.count("\n") == 1, self.err
        assert self.err.endswith("\n"), self.err
        return self.err.removeprefix("canhman: ").rstrip("\n")

    @property
    def usage(self) -> str:
        """The one line of wrong use: exit code 2, nothing else on standard error."""
        assert self.code == 2, self
        return Done(code=1, out=self.out, err=self.err).line


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """`front("devices", "list")` runs a command in this process; whatever escapes as an exception fails the test."""

    data: Path
    monkeypatch: pytest.MonkeyPatch
    capfd: pytest.CaptureFixture[str]

    def __call__(self, *words: str, **settings: str) -> Done:
        self.capfd.readouterr()
        with self.monkeypatch.context() as patch:
            for name, value in settings.items():
                patch.setenv(f"CANHMAN_{name}", value)
            patch.setattr("sys.argv", ["canhman", *words])
            patch.setattr(structlog, "configure", _configure_for_now)
            code = 0
            try:
                cli.main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        structlog.reset_defaults()
        out, err = self.capfd.readouterr()
        return Done(code=code, out=out, err=err)

    def ok(self, *words: str, **settings: str) -> Done:
        """A command that must succeed."""
        done = self(*words, **settings)
        assert done.code == 0, done
        return done

    def database(self, call: Callable[[SqlDatabase], Awaitable[Any]]) -> Any:
        """One call to the installation's database, past the command line."""
        url = f"sqlite:///{self.data / 'registry.db'}"
        self.data.mkdir(parents=True, exist_ok=True)
        prepare(url)
        db = open_database(url)

        async def one() -> Any:
            return await call(db)

        try:
            return asyncio.run(one())
        finally:
            db.close()
