"""The fault record: what becomes of acknowledged readings when something breaks."""

from bench import load as load  # puts tests/ on the path
