"""The demo in a terminal as a picture: a real run of `canhman demo` in a pseudo-terminal, its screen drawn cell by cell.

`deploy/look.py` calls it. The run is a first one, with all sixty days, on the usual ports; the moment is the first at which
five alerts stand on the screen.
"""

from __future__ import annotations

import html
import os
import sys
import tempfile
from pathlib import Path

from rich.color import Color
from rich.console import Console
from rich.text import Text

from canhman.demo_view import KEYS

COLUMNS, LINES = 124, 31
CELL_W, CELL_H = 8, 19  # [px]
GROUND, INK = "#0E1614", "#F6F2E6"  # the dark tokens of the look
NEW_SCREEN = "\x1b[1A\x1b[2K"  # rich goes up line by line before it draws anew
END = KEYS  # the screen's last line
OPEN, ENOUGH = "đang mở", 5  # alerts
# the first has no ầ, the last draws it so that its mark stands over the next letter
FONT = '"Liberation Mono","Noto Sans","DejaVu Sans Mono",monospace'


def screen() -> str:
    """The demo's screen with its colours, as a terminal got it."""
    from servers.terminal import Terminal

    with tempfile.TemporaryDirectory() as place:
        env = {k: v for k, v in os.environ.items() if not k.startswith("CANHMAN_")}
        words = [sys.executable, "-m", "canhman", "demo", "--data", f"{place}/demo"]
        terminal = Terminal(words, folder=Path(__file__).parents[1], env=env, columns=COLUMNS, lines=LINES)
        try:
            drawn = ""
            while drawn.count(OPEN) < ENOUGH:
                terminal.wait_for(END, 120, terminal.shown.count(END) + 1)
                drawn = terminal.shown.rpartition(END)[0].rpartition(NEW_SCREEN)[2]
            terminal.press(b"q")
            terminal.ended()
        finally:
            terminal.close()
    return drawn + END


def page(drawn: str) -> str:
    """A page that shows it, cell by cell, so that no font moves a column."""
    rows = []
    console = Console(width=COLUMNS)
    for line in drawn.replace("\r\n", "\n").split("\n"):
        text = Text.from_ansi(line)
        cells = []
        for at, letter in enumerate(text.plain):
            style = text.get_style_at_offset(console, at)
            look = f"color:{_hex(style.color, INK)}"
            look += f";background:{_hex(style.bgcolor, GROUND)}" if style.bgcolor else ""
            look += ";font-weight:700" if style.bold else ""
            look += ";text-decoration:underline" if style.underline else ""
            cells.append(f'<i style="{look}">{html.escape(letter)}</i>')
        rows.append(f"<div>{''.join(cells)}</div>")
    return f"""<!doctype html><meta charset=utf-8><style>
body{{margin:0;background:{GROUND};color:{INK};width:{COLUMNS * CELL_W + 32}px;padding:12px 16px;box-sizing:border-box;font:13.3px/{CELL_H}px {FONT}}}
div{{height:{CELL_H}px;white-space:pre;overflow:hidden}}
i{{display:inline-block;width:{CELL_W}px;height:{CELL_H}px;font-style:normal;text-align:center;overflow:visible;vertical-align:top}}
</style><body>{"".join(rows)}"""


def _hex(color: Color | None, default: str) -> str:
    return default if color is None or color.is_default else color.get_truecolor().hex
