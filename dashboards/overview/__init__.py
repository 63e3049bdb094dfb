"""The panels of the board *Tổng quan*, put together in `dashboards.boards.overview`."""
