"""Style sheets, scripts and images at `/static/VERSION/…`, where VERSION is a hash of them all: kept for ever, never stale.

One version for the whole folder, so that a module's `import "./age.js"` stays within it. Another version than today's (a page
of before an update) is answered too, and kept by nobody.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOR_EVER = "public, max-age=31536000, immutable"


def version_of(folder: Path) -> str:
    """Ten letters that change with any file of the folder."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:10]


class Static(StaticFiles):
    """The folder as an ASGI app, mounted at /static."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, check_dir=False)
        self.version = version_of(folder)

    def url(self, name: str) -> str:
        """The address of the file `name`."""
        return f"/static/{self.version}/{name}"

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file behind VERSION/name."""
        version, _, name = path.partition("/")
        response = await super().get_response(name, scope)
        response.headers["Cache-Control"] = FOR_EVER if version == self.version else "no-cache"
        return response
