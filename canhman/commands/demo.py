"""`canhman demo`: the whole path on this machine, with simulated sensors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

APP = typer.Typer()


@APP.command("demo", epilog="Example: canhman demo --port 8080")
def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of pages and API (default: that of CANHMAN_LISTEN, 8000).", show_default=False)] = 0,
    data: Annotated[Path, typer.Option(help="Folder of everything it keeps; started again it goes on there.", file_okay=False)] = Path("data/demo"),
    speed: Annotated[float, typer.Option(min=0.1, max=3600, help="How many times faster than real time.")] = 600,
    lang: Annotated[str, typer.Option(help="Language of verdicts and states on this screen, vi or en; the pages have both.")] = "vi",
    history: Annotated[float, typer.Option(min=0, max=60, help="Days of history at the first start.")] = 60,
) -> None:
    """Run the whole path with twelve simulated stations until q or Ctrl-C: listener, ingest, judge, forecasts, alerts, pages and API."""
    import asyncio
    import signal

    from canhman import demo as running
    from canhman.demo_folder import alone
    from canhman.demo_ports import url
    from canhman.demo_view import View
    from canhman.settings import read_settings
    from canhman.signals import Signals
    from canhman.up import wait_no_longer
    from canhman.usage import one_of
    from core.texts import LANGUAGES

    one_of("--lang", lang, LANGUAGES)
    plan = running.Plan(data=data, port=port, speed=speed, history_days=history)
    settings = running.settings_of(read_settings(), plan)
    again = (data / "registry.db").exists()

    async def until_stopped() -> list[str]:
        signals = Signals()
        signals.listen()
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, signals.stop)  # its terminal was closed
        view = View(url(settings), signals, speed=speed, lang=lang)
        view.hello(str(data), again)
        return await running.demo(settings, plan, signals, view)

    with alone(settings):
        wait_no_longer(asyncio.run(until_stopped()))
