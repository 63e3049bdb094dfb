"""Columns of a CSV file, plain or gzipped, parted by comma, semicolon or tab (whichever its first line has most of)."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from pathlib import Path

from core.errors import FormatError
from core.table import Table

_GZIP = b"\x1f\x8b"
_CELL = 1 << 20


def read_columns(path: Path, wanted: Sequence[str]) -> Table:
    """The wanted columns of `path` as text; those that are not there are left out.

    Raises FormatError for what is no such file, OSError where it cannot be opened.
    """
    text = _text(path)
    first = text.partition("\n")[0]
    comma = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=comma, strict=True)
    csv.field_size_limit(_CELL)
    line = 1  # in which a row begins: a quote left open is reported by the reader where the file ends
    try:
        header = tuple(cell.strip() for cell in next(reader, []))
        rows, lines = [], []
        line = reader.line_num + 1
        for row in reader:
            if row:
                if len(row) != len(header):
                    raise FormatError(f"{path.name} line {line}: {len(row)} cells where the first line has {len(header)} columns")
                rows.append(row)
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise FormatError(f"{path.name} line {line} is no CSV: {error}") from error
    for name in wanted:
        if header.count(name) > 1:
            raise FormatError(f"{path.name} has {header.count(name)} columns {name!r}: give each a name of its own")
    columns = {name: [row[at] for row in rows] for name, at in ((name, header.index(name)) for name in dict.fromkeys(wanted) if name in header)}
    return Table(file=path.name, header=header, columns=columns, lines=lines, decimal_comma=comma != ",")


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        if data.startswith(_GZIP):
            data = gzip.decompress(data)
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path.name} is no UTF-8 text (byte {error.start}): save it as CSV in UTF-8") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FormatError(f"{path.name} is cut short or broken: {error}") from error
