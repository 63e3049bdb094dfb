"""Photograph the pages, and the demo in a terminal, for README and docs/look.md: `.venv/bin/python deploy/look.py [docs/look [NAME…]]`.

The app of the tests of the pages, whose clock stands, in Debian's Chromium: a phone of 360 px at two dots a px where the weight allows, and a desk.
Each picture is brought to 256 colours, which is what the pages have, and so to a third of its weight.
"""

from __future__ import annotations

import base64
import struct
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import typer
from numpy.typing import NDArray

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[1]
MOST_BYTES = 150_000
DEMO = "demo"  # the picture of the terminal

# Chromium decodes its own picture: rows of red, green, blue, opacity, as base64 in parts
PIXELS = """async png => {
  const image = new Image(); image.src = "data:image/png;base64," + png; await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height), pen = canvas.getContext("2d"); pen.drawImage(image, 0, 0);
  const bytes = pen.getImageData(0, 0, image.width, image.height).data, parts = [];
  for (let i = 0; i < bytes.length; i += 30000) parts.push(btoa(String.fromCharCode(...bytes.subarray(i, i + 30000))));
  return [image.width, image.height, parts];
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One picture: of which path, how wide and high [px], in which language and light; `whole` = all of a long page."""

    name: str
    path: str
    width: int = 360
    height: int = 740
    lang: str = "vi"
    dark: bool = False
    whole: bool = False
    dots: float = 2.0  # a px; fewer where a long page would weigh too much


SHOTS = (
    Shot(name="home", path="/"),
    Shot(name="home-en", path="/", lang="en"),
    Shot(name="home-dark", path="/", dark=True),
    Shot(name="station", path="/stations/cai-tu", whole=True, dots=1.0),
    Shot(name="alert", path="/alerts/1", whole=True),
    Shot(name="alerts", path="/alerts"),
    Shot(name="stale", path="/?station=dai-ngai"),
    Shot(name="river", path="/river", whole=True),
    Shot(name="river-desk", path="/river", width=1366, height=768, dots=1.5),
    Shot(name="record", path="/record?station=cai-tu", whole=True, dots=1.0),
    Shot(name="record-desk", path="/record", width=1366, height=768, dots=1.25),
    Shot(name="station-desk", path="/stations/cai-tu", width=1366, height=768, lang="en", dots=1),
    Shot(name="home-desk", path="/", width=1366, height=768, dots=1.5),
)


def main(folder: Path, names: list[str]) -> int:
    """Take them all, or those named; 1 where one is heavier than it may be."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    import demo_look
    from playwright.sync_api import sync_playwright
    from servers import browser

    folder.mkdir(parents=True, exist_ok=True)
    browser.WATER = tuple(w for w in browser.WATER if w.name != browser.MARKUP)  # a name for tests, not for people
    steps = [s for s in browser.alerts() if s.alert.station != "markup"]
    browser.alerts = lambda: steps
    heavy = 0
    with tempfile.TemporaryDirectory() as place, browser.serving(browser.pages_backend(Path(place))) as address, sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=browser.chromium(), args=["--no-sandbox"])
        dark_room = chromium.new_page()
        for shot in [s for s in SHOTS if not names or s.name in names]:
            context = chromium.new_context(device_scale_factor=shot.dots, color_scheme="dark" if shot.dark else "light", reduced_motion="reduce")
            heavy += _keep(folder, shot.name, _take(context.new_page(), address, shot), dark_room)
            context.close()
        if not names or DEMO in names:
            context = chromium.new_context(device_scale_factor=1.75)
            sheet = context.new_page()
            sheet.set_content(demo_look.page(demo_look.screen()))
            heavy += _keep(folder, DEMO, sheet.locator("body").screenshot(), dark_room)
        chromium.close()
    return 1 if heavy else 0


def _keep(folder: Path, name: str, taken: bytes, dark_room: Page) -> bool:
    """Write a picture of few colours; whether it is too heavy."""
    wide, high, parts = dark_room.evaluate(PIXELS, base64.b64encode(taken).decode())
    pixels = np.frombuffer(b"".join(base64.b64decode(part) for part in parts), dtype=np.uint8).reshape(high, wide, 4)[:, :, :3]
    picture = indexed_png(pixels)
    (folder / f"{name}.png").write_bytes(picture)
    typer.echo(f"{name}.png {len(picture) / 1000:.0f} kB")
    return len(picture) > MOST_BYTES


def _take(page: Page, address: str, shot: Shot) -> bytes:
    """The page as a PNG; a long one in a window as long as it is, so that the bar at the bottom stands there."""
    page.set_viewport_size({"width": shot.width, "height": shot.height})
    page.goto(f"{address}{shot.path}{'&' if '?' in shot.path else '?'}lang={shot.lang}")
    if shot.whole:
        page.set_viewport_size({"width": shot.width, "height": page.evaluate("document.documentElement.scrollHeight")})
    return page.screenshot()


def indexed_png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG of at most 256 colours: the commonest, and for every other the nearest of them. `pixels`: shape (high, wide, 3)."""
    high, wide, _ = pixels.shape
    whole = pixels.astype(np.int64) @ np.array([65536, 256, 1])
    colours, which, count = np.unique(whole, return_inverse=True, return_counts=True)
    kept = colours[np.sort(np.argsort(-count, kind="stable")[:256])]
    rgb = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1)
    palette = np.stack([kept >> 16, kept >> 8 & 255, kept & 255], axis=1)
    nearest = np.concatenate([((part[:, None, :] - palette) ** 2).sum(axis=2).argmin(axis=1) for part in np.array_split(rgb, max(1, len(rgb) // 500))])
    rows = np.zeros((high, wide + 1), dtype=np.uint8)  # each begins with its filter: none
    rows[:, 1:] = nearest[which].reshape(high, wide)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 3, 0, 0, 0)), (b"PLTE", palette.astype(np.uint8).tobytes())]
    parts += [(b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "look", sys.argv[2:]))
