"""Charts as SVG text: pure functions from values to markup, for pages, print and e-mail."""
