"""*Tổng quan*: where the salt stands, what is silent, what needs somebody now."""

from __future__ import annotations

from dashboards.board import Board, Panel, Query, Variable

BOARD = Board(
    uid="canhman-tong-quan",
    title="board.overview",
    about="board.overview.about",
    tags=("canhman",),
    end="now+3d",
    variables=(Variable(name="datasource", label="board.datasource", kind="datasource", query="influxdb", current="canhman"),),
    panels=(
        Panel(
            id=1,
            kind="stat",
            title="board.over1",
            about="board.over1.about",
            at=(0, 0, 6, 4),
            queries=(Query(ref="A", text='SELECT count("salinity") FROM "latest" WHERE time > now() AND "fresh" = 1 AND "verdict" = 1 AND "salinity" >= 1'),),
            options={},
            defaults={},
        ),
    ),
)
