"""Compare two Parquet files by key, a part at a time: memory does not grow with the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from include.transform.diff.compare import (
    SAMPLE_ROWS,
    ColumnDifference,
    Difference,
    one_sided,
    schema_changes,
)
from include.transform.diff.pair import COUNTS, HIDDEN, SHOWN_CHARACTERS, Sample, sample_of
from include.transform.diff.profile import NO_ORDER, PROFILED_CHARACTERS, Profile
from include.transform.diff.relation import Table

# The rows of both files together that are compared at once.
ROWS_AT_ONCE = 400_000
_NOW = "\0now"
_BEFORE, _AFTER = "\0before", "\0after"
_MOST_DIGITS = 38


@dataclass(frozen=True)
class Rows:
    """A table in a Parquet file: its columns with their SQL types, its key, and where it is."""

    table: Table
    path: Path

    def scan(self) -> pl.LazyFrame:
        """The rows, not read yet."""
        return pl.scan_parquet(self.path)


def compare_files(
    before: Rows | None,
    after: Rows | None,
    *,
    hidden: Collection[str] = (),
    sample_rows: int = SAMPLE_ROWS,
) -> Difference:
    """Compare by the key, or by whole rows if the files have no key in common.

    As `compare` does for tables of a database. Of `hidden` columns no value is
    in the result. Raises `ValueError` if there is neither file.
    """
    if before is None or after is None:
        return _one_sided(before, after, hidden, sample_rows)
    pair = _Pair(before, after, hidden, sample_rows)
    pair.count()
    counts: dict[str, Any] = {name: pair.counts[name] for name in COUNTS}
    columns = dict.fromkeys((*after.table.columns, *before.table.columns))
    of_before, of_after = profiles(before, hidden), profiles(after, hidden)
    return Difference(
        name=after.table.name,
        key=pair.key,
        **counts,
        columns=tuple(
            ColumnDifference(
                name,
                before.table.columns.get(name, ""),
                after.table.columns.get(name, ""),
                pair.columns[name],
                of_before.get(name),
                of_after.get(name),
            )
            for name in columns
        ),
        schema_changes=tuple(schema_changes(before.table, after.table)),
        samples=tuple(pair.samples()),
    )


def profiles(rows: Rows, hidden: Collection[str] = ()) -> dict[str, Profile]:
    """The profile of each column, read one after the other; of `hidden` ones no value is shown."""
    return {
        name: _profile(rows.scan(), name, is_ordered=name not in hidden and _is_ordered(type_))
        for name, type_ in rows.table.columns.items()
    }


def _is_ordered(type_: str) -> bool:
    return type_.partition("(")[0] not in NO_ORDER and not type_.endswith("[]")


def _profile(rows: pl.LazyFrame, name: str, *, is_ordered: bool) -> Profile:
    column, type_ = pl.col(name), rows.collect_schema()[name]
    measures = [column.null_count().alias("nulls"), column.drop_nulls().n_unique().alias("n")]
    if is_ordered:
        measures += [
            _text(extreme, type_, PROFILED_CHARACTERS).alias(alias)
            for alias, extreme in (("least", column.min()), ("greatest", column.max()))
        ]
    (found,) = rows.select(measures).collect(engine="streaming").to_dicts()
    return Profile(found["nulls"], found["n"], found.get("least"), found.get("greatest"))


def _text(value: pl.Expr, type_: pl.DataType, characters: int) -> pl.Expr:
    text = value.cast(pl.String)
    if isinstance(type_, pl.Datetime):  # without a fraction that is not there
        text = text.str.replace(r"\.0+(\D|$)", "${1}")
    return text.str.head(characters)


class _Pair:
    """Two files with the columns that they have in common made comparable."""

    def __init__(
        self, before: Rows, after: Rows, hidden: Collection[str], sample_rows: int
    ) -> None:
        self._before, self._after = before, after
        self._hidden, self._sample_rows = hidden, sample_rows
        self._common = [name for name in after.table.columns if name in before.table.columns]
        self._lazy = self._comparable()
        self.key = self._shared_key()
        self._by = list(self.key) or self._common
        self._rest = [name for name in self._common if name not in self._by]
        self.counts: Counter[str] = Counter()
        self.columns: Counter[str] = Counter()
        self._samples: dict[str, pl.DataFrame] = {}

    def _comparable(self) -> tuple[pl.LazyFrame, pl.LazyFrame]:
        """Both files; columns in common have one type."""
        schemas = [rows.scan().collect_schema() for rows in (self._before, self._after)]
        casts = [
            pl.col(name).cast(_common_type(schemas[0][name], schemas[1][name]))
            for name in self._common
            if schemas[0][name] != schemas[1][name]
        ]
        before, after = (rows.scan().with_columns(casts) for rows in (self._before, self._after))
        return before, after

    def _shared_key(self) -> tuple[str, ...]:
        """The key of one file that is unique in the other one, too."""
        keys = (self._after.table.key, self._before.table.key)
        for key, other, rows in ((keys[0], keys[1], 0), (keys[1], keys[0], 1)):
            if (
                key
                and set(key) <= set(self._common)
                and (other == key or _is_key(self._lazy[rows], key))
            ):
                return key
        return ()

    def count(self) -> None:
        """Compare all parts; what is found is in `counts`, `columns` and the samples."""
        for before, after in self._parts():
            self.counts["rows_before"] += before.height
            self.counts["rows_after"] += after.height
            if self.key:
                self._by_key(before, after)
            elif self._common:
                self._by_rows(before, after)
            else:  # no row can be the same
                self.counts["removed"], self.counts["added"] = before.height, after.height

    def _parts(self) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Both files in parts; rows with the same key are in the same part."""
        heights = [lazy.select(pl.len()).collect().item() for lazy in self._lazy]
        number = 1 + sum(heights) // ROWS_AT_ONCE
        part = pl.struct(self._by).hash() % number if self._by else pl.lit(0)
        for at in range(number if self._by else 1):
            before, after = (
                lazy.filter(part == at).collect(engine="streaming") for lazy in self._lazy
            )
            yield before, after

    def _by_key(self, before: pl.DataFrame, after: pl.DataFrame) -> None:
        both = before.select(self._common).join(
            after.select(self._common), on=self._by, nulls_equal=True, suffix=_NOW
        )
        differs = {name: pl.col(name).ne_missing(pl.col(name + _NOW)) for name in self._rest}
        if differs:
            sums = both.select(check.sum().alias(name) for name, check in differs.items())
            self.columns.update(sums.row(0, named=True))
            changed = both.filter(pl.any_horizontal(differs.values()))
            self.counts["changed"] += changed.height
            self._sample("changed", changed)
        for kind, rows, other in (("removed", before, after), ("added", after, before)):
            alone = rows.join(other.select(self._by), on=self._by, how="anti", nulls_equal=True)
            self.counts[kind] += alone.height
            self._sample(kind, alone)

    def _by_rows(self, before: pl.DataFrame, after: pl.DataFrame) -> None:
        """Equal rows are counted, as there can be several."""
        counted = (
            frame.group_by(self._common).len(name)
            for frame, name in ((before, _BEFORE), (after, _AFTER))
        )
        joined = next(counted).join(
            next(counted), on=self._common, how="full", coalesce=True, nulls_equal=True
        )
        numbers = [pl.col(name).fill_null(0).cast(pl.Int64) for name in (_BEFORE, _AFTER)]
        for kind, more in (
            ("removed", numbers[0] - numbers[1]),
            ("added", numbers[1] - numbers[0]),
        ):
            alone = joined.with_columns(more.alias(_NOW)).filter(pl.col(_NOW) > 0)
            self.counts[kind] += int(alone[_NOW].sum())
            self._sample(kind, alone.select(self._common))

    def _sample(self, kind: str, rows: pl.DataFrame) -> None:
        """Keep the first rows by key."""
        known = self._samples.get(kind)
        found = rows if known is None else pl.concat([known, rows])
        self._samples[kind] = found.sort(self._by).head(self._sample_rows)

    def samples(self) -> Iterator[Sample]:
        """The first rows, by key, of each kind of difference."""
        for kind in ("changed", "removed", "added"):
            if (rows := self._samples.get(kind)) is None:
                continue
            if kind != "changed":
                yield from samples_of(kind, self.key, rows, self._hidden)
                continue
            differs = rows.select(
                pl.col(name).ne_missing(pl.col(name + _NOW)) for name in self._rest
            )
            shown = _shown(rows, self._hidden)
            for row, is_other in zip(shown, differs.iter_rows(named=True), strict=True):
                yield Sample(
                    kind,
                    {name: row[name] for name in self.key},
                    {name: (row[name], row[name + _NOW]) for name in self._rest if is_other[name]},
                )


def _common_type(one: pl.DataType, other: pl.DataType) -> pl.DataType:
    if not (one.is_numeric() and other.is_numeric()):
        return pl.String()
    if one.is_float() or other.is_float():
        return pl.Float64()
    scales = [type_.scale for type_ in (one, other) if isinstance(type_, pl.Decimal)]
    return pl.Decimal(_MOST_DIGITS, max(scales, default=0))


def _is_key(rows: pl.LazyFrame, key: Sequence[str]) -> bool:
    measures = (
        pl.struct(key).n_unique().alias("distinct"),
        pl.len().alias("rows"),
        pl.any_horizontal(pl.col(name).is_null().any() for name in key).alias("nulls"),
    )
    (found,) = rows.select(measures).collect(engine="streaming").to_dicts()
    return bool(found["distinct"] == found["rows"] and not found["nulls"])


def samples_of(
    kind: str, key: Sequence[str], rows: pl.DataFrame, hidden: Collection[str]
) -> Iterator[Sample]:
    """Rows of one file as samples."""
    for row in _shown(rows, hidden):
        yield sample_of(kind, key, dict(row))


def _shown(rows: pl.DataFrame, hidden: Collection[str]) -> Iterator[Mapping[str, str | None]]:
    """The rows as text; of a hidden value, only whether there is one."""
    values = [
        pl.when(pl.col(name).is_not_null()).then(pl.lit(HIDDEN)).alias(name)
        if name.removesuffix(_NOW) in hidden
        else _text(pl.col(name), type_, SHOWN_CHARACTERS)
        for name, type_ in rows.schema.items()
    ]
    return rows.select(values).iter_rows(named=True)


def _one_sided(
    before: Rows | None, after: Rows | None, hidden: Collection[str], sample_rows: int
) -> Difference:
    rows = after or before
    if rows is None:
        raise ValueError("neither version of the table exists")
    number = rows.scan().select(pl.len()).collect().item()
    samples: Iterable[Sample] = ()
    if after:
        first = rows.scan().head(sample_rows).collect()
        samples = samples_of("added", rows.table.key, first, hidden)
    return one_sided(rows.table, after is not None, number, profiles(rows, hidden), samples)
