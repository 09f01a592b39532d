"""The secrets of this process, taken out of every error message and log record.

No secret is put into either; this is for what comes from outside: an API that
repeats the key that it was sent, a library that logs an address.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import traceback
from typing import Any
from urllib.parse import quote, quote_plus

# Shorter texts are in words and numbers that have nothing to do with a secret.
FEWEST_CHARACTERS = 4

# In data, only texts that are never there by chance are taken for a secret.
FEWEST_IN_DATA = 12

# What is replaced, and what by.
_known: dict[str, str] = {}

# Forms of short secrets, each behind the name of the header or parameter that it was sent as:
# together, they are not in data by chance.
_named: dict[str, str] = {}
_BETWEEN = rb"(?:%3[AaDd]|%2[02]|[\s\"'\\:=+]){1,8}"
_MOST_BETWEEN = 8 * len("%3D")


def keep_secret(value: str, name: str, *, sent_as: str = "") -> None:
    """From now on, replace this value, in every form that it is sent in, by the secret's name.

    `sent_as` is the header or parameter of a request that has it.
    """
    if len(value) < FEWEST_CHARACTERS:
        return
    if sent_as and len(value) < FEWEST_IN_DATA:
        _named.update(dict.fromkeys(forms(value), sent_as))
    if not _known:
        _watch_logs()
    for form in forms(value):
        known = _known.get(form, "") if sent_as else ""
        _known[form] = known or f"[secret {name}]"


def forms(value: str) -> tuple[str, ...]:
    """How a secret may be written: as it is, in a URL, in JSON, in Base64; the longest first."""
    encoded = base64.b64encode(value.encode()).decode()
    written = (
        *(value, quote(value, safe=""), quote(value), quote_plus(value)),
        *(json.dumps(value)[1:-1], json.dumps(value)[1:-1].replace("/", r"\/")),
        *(encoded, encoded.rstrip("=")),
    )
    return tuple(sorted(dict.fromkeys(written), key=len, reverse=True))


def redacted(text: str) -> str:
    """The text without the secrets that this process knows."""
    for form in sorted(_known, key=len, reverse=True):
        if form in text:
            text = text.replace(form, _known[form])
    return text


def holds_secret(text: str) -> bool:
    """Whether a text holds a secret, or the asterisks that `Scrub` put in its place."""
    return redacted(text) != text or (bool(_known) and "*" * FEWEST_IN_DATA in text)


class Scrub:
    """Replaces secrets in bytes that come in chunks by as many asterisks."""

    def __init__(self) -> None:
        forms = sorted(_known, key=len, reverse=True)
        self._forms = [form.encode() for form in forms if len(form) >= FEWEST_IN_DATA]
        short = {form: name for form, name in _named.items() if len(form) < FEWEST_IN_DATA}
        self._short = [_behind_name(form, name) for form, name in short.items()]
        longest = max((len(form) + len(name.encode()) for form, name in short.items()), default=0)
        self._kept = max(
            len(self._forms[0]) - 1 if self._forms else 0,
            longest + _MOST_BETWEEN if short else 0,
        )
        self._rest = b""
        self.found = False

    def feed(self, chunk: bytes) -> bytes:
        """The bytes so far, but for an end that may be the beginning of a secret."""
        whole = self._rest + chunk
        for form in self._forms:
            if form in whole:
                whole, self.found = whole.replace(form, b"*" * len(form)), True
        whole = self._without_short(whole, more_follows=True)
        done = max(0, len(whole) - self._kept)
        self._rest = whole[done:]
        return whole[:done]

    def end(self) -> bytes:
        """The rest."""
        rest, self._rest = self._rest, b""
        return self._without_short(rest, more_follows=False)

    def _without_short(self, whole: bytes, *, more_follows: bool) -> bytes:
        def hidden(found: re.Match[bytes]) -> bytes:
            # What follows may make another text of it.
            if more_follows and found.end() == len(whole):
                return found[0]
            self.found = True
            return found[1] + b"*" * len(found[2])

        for pattern in self._short:
            whole = pattern.sub(hidden, whole)
        return whole


def _behind_name(form: str, name: str) -> re.Pattern[bytes]:
    """Finds a short secret, as a whole word, behind the name that it was sent as."""
    before = b"((?i:%b)%b)" % (re.escape(name.encode()), _BETWEEN)
    return re.compile(b"%b(%b)(?![0-9A-Za-z])" % (before, re.escape(form.encode())))


def _watch_logs() -> None:
    make = logging.getLogRecordFactory()

    def make_redacted(*arguments: Any, **named: Any) -> logging.LogRecord:
        record = make(*arguments, **named)
        _clean(record)
        return record

    logging.setLogRecordFactory(make_redacted)


def _clean(record: logging.LogRecord) -> None:
    try:
        message = record.getMessage()
    except (TypeError, ValueError):
        return  # Its handler reports that the arguments do not fit.
    if redacted(message) != message:
        record.msg, record.args = redacted(message), ()
    if record.exc_info and record.exc_info[0] is not None:
        trace = "".join(traceback.format_exception(*record.exc_info))
        if redacted(trace) != trace:
            record.exc_info, record.exc_text = None, redacted(trace)
