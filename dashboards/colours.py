"""The colours of a board. A fill of colour always speaks of salinity; everything else is ink, silt or grey."""

from __future__ import annotations

from dashboards.board import Words

BANDS = ("#CDEFFA", "#FBDD4A", "#F0924A", "#A3261B", "#4B0A2E")  # one per band of core.bands, the saltier the darker
SHAPES = ("●", "■", "▲", "⬣", "◆")  # beside the word, for who does not see the colour
UNKNOWN = "#8E9691"  # not known: silent, old, suspect; never a colour of the scale
INK = "text"  # Grafana's name for the colour of its text, in its light and its dark theme
PALE = "#D5CFBD"
LINES = ("#0A5C86", "#94470A", "#8A6A42", "#6B7570")  # lines of a chart, in this order

NOT_KNOWN = Words("band.unknown", after=" ?")
