"""Rows as dataclasses: each field has the name of its column."""

from typing import Any

from sqlalchemy import Column, Table


def columns_of(table: Table, row: type[Any]) -> list[Column[Any]]:
    """The columns of `table` that the dataclass `row` has as fields, in their order."""
    return [table.c[name] for name in row.__slots__]


def values_of(row: Any) -> dict[str, Any]:
    """The fields of a row, to be stored."""
    return {name: getattr(row, name) for name in row.__slots__}
