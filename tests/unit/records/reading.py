"""Read a body as records do."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from include.records.read import read_chunks
from include.sources.formats import Format
from tests.samples import column, contract


def layout(*columns: str, **words: Any) -> Format:
    """The format of a contract with columns of these paths."""
    made = [column(f"c{place}", "jsonb", path=path) for place, path in enumerate(columns)]
    return contract(*made, format=words).layout()


def read(
    body: bytes, form: Format, context: Mapping[str, str] | None = None, content_type: str = ""
) -> list[Any]:
    """The records of a body."""
    chunks = read_chunks(io.BytesIO(body), len(body), form, context, content_type)
    return [record for chunk in chunks for record in chunk.records]


def read_as_sent(body: bytes, form: Format) -> list[Any]:
    """The records with their numbers as sent."""
    chunks = read_chunks(io.BytesIO(body), len(body), form)
    return [record for chunk in chunks for record in chunk.as_sent()]


def texts(body: bytes, form: Format) -> list[bytes]:
    """The bytes of each record."""
    found = []
    for chunk in read_chunks(io.BytesIO(body), len(body), form):
        numbers = range(1, len(chunk.records) + 1)
        found += [text for _, text in sorted(chunk.texts(numbers).items())]
    return found
