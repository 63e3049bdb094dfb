"""Columns of a CSV file, plain or packed (gzip, xz, bzip2, a zip of it alone), parted by comma, semicolon or tab (whichever its first line has most of)."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import re
import unicodedata
import zipfile
import zlib
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path

from core.errors import FormatError
from core.table import Table

_CELL = 1 << 20
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_QUOTED = re.compile(r'"[^"]*"')  # what parts columns does not stand in quotes
_BEGINNING = re.compile(r"[\s,;]*[^\r\n]*")  # to the end of the first line that is not blank


def _only_file(data: bytes) -> bytes:
    """A workbook is a zip too, of many files."""
    with zipfile.ZipFile(io.BytesIO(data)) as whole:
        names = [name for name in whole.namelist() if not name.endswith("/")]
        if len(names) != 1:
            raise ValueError(f"a zip of {len(names)} files, or a workbook: name a CSV file, or pack it alone")
        return whole.read(names[0])


# how it begins → what unpacks it
_PACKED: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"\xfd7zXZ\x00": lzma.decompress,
    b"BZh": bz2.decompress,
    b"PK\x03\x04": _only_file,
}
# a password is a RuntimeError, a way of packing that is not known a NotImplementedError
_BROKEN = (EOFError, OSError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


def read_columns(path: Path, wanted: Sequence[str]) -> Table:
    """The wanted columns of `path` as text; those that are not there are left out.

    The first line that is not blank names them; an accent may be composed or not.
    Raises FormatError for what is no such file, OSError where it cannot be opened.
    """
    text = _text(path)
    beginning = _BEGINNING.match(text)
    first = re.split(r"[\r\n]", beginning[0] if beginning else "")[-1]
    comma = max(",;\t", key=_QUOTED.sub("", first).count)
    reader = csv.reader((found[0] for found in _LINE.finditer(text)), delimiter=comma, strict=True)
    csv.field_size_limit(_CELL)
    line = 1  # in which a row begins: a quote left open is reported by the reader where the file ends
    header: tuple[str, ...] = ()
    columns: dict[str, list[str]] = {}
    places: list[tuple[list[str], int]] = []
    lines = array("Q")
    known: dict[str, str] = {}  # each word is kept once, however often it stands there
    try:
        for row in reader:
            if not any(cell and not cell.isspace() for cell in row):
                pass  # a blank line, or the empty rows a spreadsheet leaves
            elif not header:
                header = tuple(_name(cell) for cell in row)
                columns = {name: [] for name in wanted if _has(path, header, name)}
                places = [(cells, header.index(_name(name))) for name, cells in columns.items()]
            elif len(row) != len(header):
                raise FormatError(f"{path.name} line {line}: {len(row)} cells where the first line has {len(header)} columns")
            else:
                for cells, at in places:
                    cells.append(known.setdefault(row[at], row[at]))
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise FormatError(f"{path.name} line {line} is no CSV: {error}") from error
    return Table(file=path.name, header=header, columns=columns, lines=lines, decimal_comma=comma != ",")


def _has(path: Path, header: Sequence[str], name: str) -> bool:
    count = header.count(_name(name))
    if count > 1:
        raise FormatError(f"{path.name} has {count} columns {name!r}: give each a name of its own")
    return count == 1


def _name(cell: str) -> str:
    return unicodedata.normalize("NFC", cell.strip())


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        data = next((unpack(data) for begins, unpack in _PACKED.items() if data.startswith(begins)), data)
    except _BROKEN as error:
        raise FormatError(f"{path.name} is cut short or broken: {error}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path.name} is no UTF-8 text (byte {error.start}): save it as CSV in UTF-8") from error
