"""The rules of a column, and the messages for values that break them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.records.json.values import json_text
from include.sources.columns import Column
from include.warehouse.columns.cast import full_match, typed_as
from include.warehouse.columns.hashing import Mask, json_forms
from include.warehouse.columns.typed_column import Typed, decimal_text, nulls_of

# Longest value in a message; quarantine has the whole record.
SHOWN_CHARACTERS = 200
# Most field names in a message about a missing field.
SHOWN_FIELDS = 12

# Shifts a decimal point without rounding.
_WIDE = Context(prec=5_000, Emin=MIN_EMIN, Emax=MAX_EMAX)
# Bytes that are not UTF-8 become lone surrogates.
_HALF = re.compile("[\ud800-\udfff]")
_KINDS: dict[type, str] = {dict: "an object", list: "a list", str: "text", bool: "true or false"}


def broken_rules(column: Column, values: Typed) -> list[tuple[str, Mask]]:
    """Each rule of the column, type first, with the mask of the values that break it."""
    rules = [("type", values.wrong)]
    wrong = values.wrong
    for rule, mask in values.refused.items():
        rules.append((rule, mask))
        wrong = wrong | mask
    if column.required:
        rules.append(("required", values.nulls & ~wrong))
    if column.allowed:
        allowed = typed_as(column, list(column.allowed), converted=True).array
        inside = pc.is_in(values.array, value_set=allowed)
        rules.append(("allowed", ~_true(inside) & ~values.nulls))
    if column.pattern:
        rules.append(("pattern", ~full_match(values.array, column.pattern)))
    if column.minimum is not None:
        rules.append(("minimum", _beyond(values.array, column.minimum, below=True)))
    if column.maximum is not None:
        rules.append(("maximum", _beyond(values.array, column.maximum, below=False)))
    return rules


def _beyond(array: pa.Array, limit: float, *, below: bool) -> Mask:
    """Which numbers are below a minimum, or above a maximum, compared exactly.

    They are compared with the number of the column's type that is nearest to
    the limit and within it.
    """
    compare = pc.less if below else pc.greater
    kind = array.type
    if pa.types.is_floating(kind):
        nearest = float(limit)
        if nearest < limit if below else nearest > limit:
            nearest = math.nextafter(nearest, math.inf if below else -math.inf)
        return _true(compare(array, nearest))
    scale, most = (kind.scale, 10**kind.precision - 1) if _is_decimal(kind) else (0, 2**63 - 1)
    scaled = Decimal(decimal_text(limit)).scaleb(scale, _WIDE)
    nearest = int(scaled.to_integral_value(ROUND_CEILING if below else ROUND_FLOOR))
    if abs(nearest) > most:
        return ~nulls_of(array) & ((nearest > 0) == below)
    bound = Decimal(nearest).scaleb(-scale, _WIDE) if scale else nearest
    return _true(compare(array, pa.scalar(bound, kind)))


def _is_decimal(kind: pa.DataType) -> bool:
    return bool(pa.types.is_decimal(kind))


def _true(array: pa.Array) -> Mask:
    return np.asarray(pc.fill_null(array, False).to_numpy(zero_copy_only=False))


def shown(value: Any) -> str | None:
    """A value for messages: one line of JSON, truncated."""
    if value is None:
        return None
    if isinstance(value, str):
        # Its JSON has as many characters at least.
        value = value[:SHOWN_CHARACTERS]
    try:
        text, _ = json_forms(value)
    except (TypeError, ValueError):
        text = _as_ascii(value)
    except RecursionError:
        text = "nested too deeply to be shown"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _as_ascii(value: Any) -> str:
    """JSON of values without canonical JSON, such as NaN and half a surrogate pair."""
    try:
        return json_text(value, (",", ":"), sort=True)
    except (TypeError, ValueError, RecursionError):
        return "nested too deeply to be shown"


def difference(column: Column, rule: str, record: Any, value: Any, hidden: bool) -> str:
    """What the contract expects, and what a record has instead; its value unless `hidden`."""
    place = ".".join(column.record_path)
    where = f"`{place}`" if place else "the request"
    if rule == "required" and value is None:
        return f"expected {column.type} at {where}, found {_instead(column.record_path, record)}"
    if hidden:
        return f"expected {_expected(column, rule)} at {where}, found {_kind(value)}"
    return f"expected {_expected(column, rule)} at {where}, found {_kind(value)} {shown(value)}"


def _expected(column: Column, rule: str) -> str:
    match rule:
        case "allowed":
            return f"one of {', '.join(map(str, column.allowed))}"
        case "pattern":
            return f"{column.type} like {column.pattern}"
        case "minimum":
            return f"at least {decimal_text(column.minimum or 0)}"
        case "maximum":
            return f"at most {decimal_text(column.maximum or 0)}"
        case "zone":
            return f"a time that the clocks of {column.zone} show once"
        case "year":
            return f"a year from 1 to {_last_year(column)}"
        case "fraction":
            return "at most six digits of a second (or `fraction: truncate` or `round`)"
        case "list":
            return "lists of one length"
        case _ if column.type == "text" and not column.accept_numbers:
            return "text (or numbers, with `accept_numbers: true`)"
        case _:
            conversion = column.conversion
            return f"{column.type} {conversion.wanted(column.type)}" if conversion else column.type


def _last_year(column: Column) -> str:
    if column.zone in ("", "UTC"):
        return "9999 in UTC"
    return f"2099 (later clock changes of {column.zone} are not known)"


def _kind(value: Any) -> str:
    if isinstance(value, str) and _HALF.search(value):
        return "text that is not UTF-8 (is `encoding` right under `format`?):"
    return _KINDS.get(type(value), "nothing" if value is None else "number")


def _instead(path: Sequence[str], record: Any) -> str:
    for name in path[:-1]:
        record = record.get(name) if isinstance(record, Mapping) else None
    if not isinstance(record, Mapping):
        return f"{_kind(record)} instead of an object with it"
    if path and path[-1] in record:
        return "null"
    names = sorted(map(ascii, record))
    more = f" and {len(names) - SHOWN_FIELDS} more" if len(names) > SHOWN_FIELDS else ""
    listed = ", ".join(name.strip("'\"")[:48] for name in names[:SHOWN_FIELDS])
    return f"a record with {listed or 'no fields'}{more}"
