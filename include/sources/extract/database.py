"""How a source is fetched from a database: a query, and the key to page by."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from include.definitions import Definition
from include.sources.extract import sql
from include.sources.extract.templates import Parent


class DatabaseExtract(Definition):
    """How partitions are fetched from a database: a query, paged by its key."""

    kind: Literal["database"] = Field(description="A database.")
    connection: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$",
        description="The Airflow Connection, read-only. Its type says which server it is: "
        "postgres, mysql (also MariaDB), mssql or oracle.",
    )
    query: str = Field(
        min_length=1,
        description="One select, in the server's dialect. `%(period_start)s`, `%(period_end)s` "
        "(exclusive) and `%(council)s` are bound, outside of quotes and comments; write other "
        "percent signs as `%%`.",
    )
    key: str = Field(
        min_length=1,
        description="The unique column to page by: text, whole numbers, decimals, UUIDs, dates "
        "or times. Texts are ordered by their bytes.",
    )
    changed: str = Field(default="", description="The column that says when a row changed.")
    page_size: int = Field(default=10_000, ge=1, le=1_000_000, description="Rows per page.")
    parallel: int = Field(
        default=1, ge=1, le=16, description="Partitions to fetch at the same time."
    )
    parents: dict[str, Parent] = Field(
        default_factory=dict, max_length=0, description="A query has none, because it can join."
    )

    @field_validator("query")
    @classmethod
    def _binds_what_is_known(cls, value: str) -> str:
        sql.check(value)
        return value

    @property
    def follows_changes(self) -> bool:
        """Whether a partition holds the rows whose last change was in its period."""
        return bool(self.changed) and "%(period_start)s" not in self.query
