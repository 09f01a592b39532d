"""Data: what dbt built, when, with which rows and tests."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from include.portal import books
from include.portal.books import Row
from include.portal.words import counted
from include.transform.graph import FAILED
from include.warehouse.connection import Cursor

# Readers begin with what is for them.
LAYERS = ("marts", "intermediate", "staging")
_PREFIX = {"stg": "staging", "int": "intermediate"}


@dataclass(frozen=True)
class Model:
    """A model of dbt: its newest result, its rows as PostgreSQL estimates, and its tests."""

    name: str
    layer: str
    docs: str
    status: str
    is_good: bool
    built_at: datetime | None
    seconds: float
    rows: int | None
    bytes: int
    tests: Mapping[str, int]
    failing: Sequence[str]
    message: str


@dataclass(frozen=True)
class DataView:
    """All that the page shows."""

    models: Sequence[Model]
    other_failing: Sequence[str]

    @property
    def by_layer(self) -> list[tuple[str, list[Model]]]:
        """The models of each layer that has some."""
        found = [(name, [one for one in self.models if one.layer == name]) for name in LAYERS]
        return [(name, models) for name, models in found if models]

    @property
    def heading(self) -> str:
        """What there is to know, in one sentence."""
        if not self.models:
            return "Nothing is built yet"
        bad = [one.name for one in self.models if not one.is_good or one.failing]
        if not bad and not self.other_failing:
            return "Every model is built and its tests pass"
        failed = counted(len(bad) + len(self.other_failing), "model or test", "models or tests")
        return f"{failed} failed"


def data_view(cursor: Cursor) -> DataView:
    """Read what dbt recorded, and the sizes of its tables."""
    nodes = books.nodes(cursor)
    sizes = {(row["schema"], row["name"]): row for row in books.sizes(cursor, LAYERS)}
    models = [row for row in nodes if row["resource_type"] in ("model", "snapshot", "seed")]
    names = {_name(row["unique_id"]) for row in models}
    tests: dict[str, list[Row]] = defaultdict(list)
    for row in nodes:
        if row["resource_type"] == "test":
            tests[_tested(row["unique_id"], names)].append(row)
    found = [_model(row, sizes, tests[_name(row["unique_id"])]) for row in models]
    return DataView(
        sorted(found, key=lambda one: (LAYERS.index(one.layer), one.name)),
        _failing(tests[""]),
    )


def _model(row: Row, sizes: Mapping[tuple[str, str], Row], tests: Sequence[Row]) -> Model:
    name = _name(row["unique_id"])
    layer = row["layer"] if row["layer"] in LAYERS else LAYERS[0]
    layer = _PREFIX.get(name.partition("_")[0], layer)
    relation = sizes.get((layer, name))
    return Model(
        name=name,
        layer=layer,
        docs=f"/dbt-docs/#!/model/{row['unique_id']}",
        status=row["status"],
        is_good=row["status"] not in (*FAILED, "skipped"),
        built_at=row["good_at"],
        seconds=row["execution_seconds"] or 0.0,
        rows=int(relation["rows"]) if relation and relation["kind"] != "v" else None,
        bytes=int(relation["bytes"]) if relation else 0,
        tests=Counter(test["status"] for test in tests),
        failing=_failing(tests),
        message=row["message"] or "" if row["status"] in FAILED else "",
    )


def _failing(tests: Iterable[Row]) -> list[str]:
    return sorted(_name(test["unique_id"]) for test in tests if test["status"] in FAILED)


def _name(unique_id: str) -> str:
    """`model.wandle.stg_x` as `stg_x`; a test without the hash at its end."""
    return unique_id.split(".")[2] if unique_id.count(".") >= 2 else unique_id


def _tested(unique_id: str, models: Iterable[str]) -> str:
    """The model that a test's name names: the longest that fits; empty if none does."""
    name = f"_{_name(unique_id)}_"
    return max((one for one in models if f"_{one}_" in name), key=len, default="")
