"""What all tables are made with: names of keys and indexes, and the columns that come again."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# only a column declared INTEGER numbers its rows by itself on SQLite, and there it holds 64 bits anyway
RowId = BigInteger().with_variant(Integer(), "sqlite")


def text_column(name: str) -> Column[str]:
    """Words of any length."""
    return Column(name, Text, nullable=False)


def id_column(name: str, *, key: bool = False) -> Column[str]:
    """An id, which may be a part of the primary key."""
    return Column(name, String(160), primary_key=key, nullable=False)


def int_column(name: str) -> Column[int]:
    """A time [ms], a position, a count."""
    return Column(name, BigInteger, nullable=False)
