"""Pseudonyms: the same for the same person, and not computable without the key."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac

import pyarrow as pa

from include.errors import PermanentError
from include.warehouse.columns.hashing import hash_texts
from include.warehouse.columns.typed_column import Typed

SHORTEST_KEY = 32


class Pseudonyms:
    """Keyed pseudonyms: HMAC-SHA256 in hexadecimal digits of the UTF-8 of a text.

    Raises `PermanentError` for a key that could be guessed.
    """

    def __init__(self, key: str) -> None:
        if len(key) < SHORTEST_KEY:
            raise PermanentError(
                f"pseudonyms: the key has {len(key)} characters; at least {SHORTEST_KEY} are "
                "required. Set WANDLE_PSEUDONYM_KEY to 64 random hexadecimal digits."
            )
        self._key = key.encode()
        self._known: dict[str, str] = {}

    @property
    def fingerprint(self) -> str:
        """Identifies the key without revealing anything about it."""
        return hmac.new(self._key, b"wandle: which key", hashlib.sha256).hexdigest()[:16]

    def of(self, text: str) -> str:
        """The pseudonym of one text."""
        known = self._known.get(text)
        if known is None:
            known = self.of_bytes(text.encode())
            self._known[text] = known
        return known

    def of_bytes(self, content: bytes) -> str:
        """The pseudonym of bytes; not cached."""
        return hmac.digest(self._key, content, "sha256").hex()

    def replacing(self, column: Typed) -> Typed:
        """A column of texts replaced by pseudonyms; null stays null."""
        texts = [None if text is None else self.of(text) for text in column.array.to_pylist()]
        array = pa.array(texts, pa.string())
        return dataclasses.replace(
            column, array=array, hashes=hash_texts(texts, array.null_count > 0)
        )
