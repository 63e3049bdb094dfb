"""`canhman top`: what runs, how fast, what is behind, and who makes trouble; again each second."""

from __future__ import annotations

from typing import Annotated

import typer

APP = typer.Typer()


@APP.command("top", epilog="Example: canhman top --every 2")
def top(
    every: Annotated[float, typer.Option(min=0.2, max=3600, help="Seconds between two looks.")] = 1.0,
    lang: Annotated[str, typer.Option(help="Language of this screen, vi or en.")] = "vi",
    json: Annotated[bool, typer.Option("--json", help="Print one look as JSON and end.")] = False,
) -> None:
    """Show live what the services of this CANHMAN_DATA do: rates, lag, times of fsync and write, dead letters, noisy devices. Ctrl-C ends it."""
    import asyncio

    from canhman import terminal, top_view, wiring
    from canhman.settings import read_settings
    from canhman.signals import Signals
    from canhman.top_facts import Looker, as_json
    from canhman.usage import one_of
    from core.texts import LANGUAGES

    one_of("--lang", lang, LANGUAGES)
    settings = read_settings()
    db = wiring.existing_database(settings)
    try:
        looker = Looker(settings.data, db, lambda: wiring.clock(settings, db))
        if json:
            terminal.as_json(as_json(asyncio.run(looker.look())))
        elif terminal.OUT.is_terminal:
            signals = Signals()

            async def show() -> None:
                signals.listen()
                await top_view.run(looker, terminal.OUT, signals, every=every, lang=lang)

            asyncio.run(show())
        else:
            top_view.once(looker, terminal.OUT, lang=lang)
    finally:
        db.close()
