"""One file for each row: `ROW`."""
