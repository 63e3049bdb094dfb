"""The speed record: what the whole path carries, beside what one would otherwise write and beside the broker alone."""

from bench import load as load  # puts tests/ on the path
