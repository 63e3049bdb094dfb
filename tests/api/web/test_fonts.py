"""The heading font: asked for where `make web` put it, never where it is not."""

from __future__ import annotations

import re

from servers.backend import Rig

from api.app import WEB


def test_the_font_is_asked_for_where_it_is(pages: Rig) -> None:
    """A page links the font's style sheet exactly where that stands, and every file it names can be had; without it nothing is missing."""
    answer = pages.get("/")
    here = (WEB / "static" / "fonts" / "fonts.css").is_file()
    assert ("fonts/fonts.css" in answer.text) == here
    if here:
        address = re.findall(r'href="(/static/[^"]+fonts\.css)"', answer.text)[0]
        sheet = pages.get(address)
        assert sheet.status_code == 200
        files = re.findall(r"url\(([^)]+)\)", sheet.text)
        assert len(files) == 4
        assert {pages.get(address.replace("fonts.css", file)).status_code for file in files} == {200}
