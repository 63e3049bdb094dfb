"""A command loads what it uses: at every start, on every small computer, a heavy library is a second or more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = (
    "alembic",
    "argon2",
    "fastapi",
    "gsw",
    "httpx",
    "influxdb_client",
    "jinja2",
    "joblib",
    "paho",
    "pygments",
    "rich.progress",
    "scipy",
    "sklearn",
    "uvicorn",
)


def test_the_registry_commands_load_no_server_and_no_model() -> None:
    """Settings and database are all that `devices`, `orgs`, `stations` and `deadletters` begin with."""
    code = "import sys, canhman.cli, canhman.settings, canhman.wiring; canhman.cli.build(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)
    assert sorted(set(HEAVY) & set(done.stdout.split())) == []
