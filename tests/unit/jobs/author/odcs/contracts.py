"""Contracts of every kind, generated."""

from __future__ import annotations

import string
from typing import Any, get_args

from hypothesis import assume
from hypothesis import strategies as st
from pydantic import ValidationError

from include.sources.columns import SYSTEM_COLUMNS
from include.sources.model import Contract
from include.sources.partition import Grain
from tests.samples import contract_fields, extracting

texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30
).filter(str.strip)
names = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True).filter(
    lambda name: name not in SYSTEM_COLUMNS
)
numbers = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(-1e15, 1e15, allow_nan=False, allow_subnormal=False)
)
patterns = st.sampled_from(
    ["[a-z]+", "a|b", r"\d{4}-\d\d", "(?i)yes|no", r"\p{Lu}.*", "x$", "^y", "(?:a|b)*", "[]x]"]
)
scalars = st.one_of(texts, st.integers(-(2**63), 2**63 - 1), st.booleans())


def rules(type_: str) -> dict[str, st.SearchStrategy[Any]]:
    """The optional fields of a column of this type."""
    found: dict[str, st.SearchStrategy[Any]] = {
        "required": st.booleans(),
        "optional": st.booleans(),
        "path": st.sampled_from(["a", "a.b", r"geo\.lat", "X Y"]),
        "null_values": st.lists(scalars, max_size=2),
        "list_value": st.sampled_from(["quarantine", "first", "last", "explode"]),
        "personal": st.sampled_from(["no", "keep", "drop"]),
        "responsible": st.sampled_from(["publisher", "us"]),
    }
    if type_ == "text":
        found |= {
            "pattern": patterns,
            "allowed": st.lists(texts, max_size=3),
            "accept_numbers": st.booleans(),
            "personal": st.sampled_from(["no", "keep", "pseudonymise", "drop"]),
        }
    if type_ in ("integer", "double") or type_.startswith("numeric"):
        found |= {"minimum": numbers, "allowed": st.lists(st.integers(0, 9) | st.just(3.0))}
    if type_ == "timestamptz":
        found |= {
            "zone": st.sampled_from(["UTC", "Europe/London"]),
            "fraction": st.sampled_from(["truncate", "round"]),
        }
    return found


@st.composite
def columns(draw: Any, name: str) -> dict[str, Any]:
    """A column of any type with any rules."""
    sizes = st.tuples(st.integers(1, 38), st.integers(0, 38)).filter(
        lambda size: size[1] <= size[0]
    )
    type_ = draw(
        st.sampled_from(["text", "integer", "double", "boolean", "date", "timestamptz", "jsonb"])
        | sizes.map(lambda size: f"numeric({size[0]},{size[1]})")
    )
    return {
        "name": name,
        "type": type_,
        "description": draw(texts),
        **draw(st.fixed_dictionaries({}, optional=rules(type_))),
    }


@st.composite
def contracts(draw: Any) -> Contract:
    """A contract that is valid."""
    named = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    found = [draw(columns(name)) for name in named]
    optional = {
        "publication_lag_days": st.integers(0, 90),
        "lookback": st.integers(0, 30),
        "enabled": st.booleans(),
        "limits": st.just({"record_bytes": 2**24}),
        "checks": st.fixed_dictionaries(
            {},
            optional={
                "min_records": st.integers(0, 10),
                "max_records_of_emptied_part": st.none() | st.integers(0, 5),
                "partition_may_empty": st.booleans(),
            },
        ),
        "format": st.sampled_from([{"kind": "csv"}, {"records": "a.b"}, {"null_values": [""]}]),
    }
    changes = draw(st.fixed_dictionaries({}, optional=optional))
    try:
        return Contract.model_validate(
            contract_fields(
                *found,
                name=draw(names),
                title=draw(texts),
                description=draw(texts),
                publisher=draw(st.text(string.ascii_letters, min_size=1)),
                licence=draw(texts),
                owner=draw(texts),
                period=draw(st.sampled_from(get_args(Grain))),
                retention_days=draw(st.integers(1, 900)),
                key=draw(st.lists(st.sampled_from(named), unique=True)),
                extract=extracting(
                    parents={"site": {"source": "sites", "each": "{a}", "not": {"b": [None, "c"]}}}
                ),
                **changes,
            )
        )
    except ValidationError:
        assume(False)
        raise
