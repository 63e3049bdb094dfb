"""One module a board; each exports BOARD."""
