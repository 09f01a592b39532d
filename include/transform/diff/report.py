"""A comparison as Markdown that a pull request shows, and as JSON.

Values are in code spans: nothing in them is a link, a mention or HTML.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from include.printable import one_line
from include.transform.diff.compare import ColumnDifference, Difference
from include.transform.diff.pair import Sample
from include.transform.diff.profile import Profile

_KINDS = {"changed": "Changed rows", "removed": "Removed rows", "added": "Added rows"}


def as_json(marts: Iterable[Difference]) -> list[dict[str, Any]]:
    """The differences as JSON values."""
    return [dataclasses.asdict(mart) | {"differs": not mart.nothing} for mart in marts]


def markdown(
    marts: Sequence[Difference],
    *,
    title: str,
    intro: Sequence[str] = (),
    failures: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> str:
    """The report: a summary of all tables, then for each that differs columns and a sample."""
    lines = [f"## {title}", "", *intro]
    if failures:
        lines += ["", "**Not built**, and so not compared, with what depends on it:", ""]
        lines += [f"- {code(failure)}" for failure in failures]
    if marts:
        lines += ["", *_summary(marts)]
    lines += [line for note in notes for line in ("", f"> {note}")]
    for mart in marts:
        if not mart.nothing:
            lines += ["", *_details(mart)]
    return "\n".join(lines) + "\n"


def _summary(marts: Sequence[Difference]) -> Iterator[str]:
    yield "| mart | rows | added | removed | changed | columns and key |"
    yield "|---|---:|---:|---:|---:|---|"
    for mart in marts:
        rows = _arrow(f"{mart.rows_before:,}", f"{mart.rows_after:,}")
        counts = [f"{number:,}" if number else "0" for number in (mart.added, mart.removed)]
        changed = f"{mart.changed:,}" if mart.key or mart.status != "compared" else "unknown"
        yield f"| {code(mart.name)} | {rows} | {' | '.join(counts)} | {changed} | {_shape(mart)} |"


def _shape(mart: Difference) -> str:
    if mart.status != "compared":
        return f"**{mart.status} mart**"
    return f"**{len(mart.schema_changes)} changed**" if mart.schema_changes else "the same"


def _details(mart: Difference) -> Iterator[str]:
    yield f"### {_escaped(mart.name)}"
    yield ""
    for change in mart.schema_changes:
        yield f"- {code(change)}"
    if mart.status == "compared":
        by = (
            f"by key ({', '.join(mart.key)})"
            if mart.key
            else (
                "by whole rows: the two have no primary key in common, so a changed row counts as "
                "removed and added"
            )
        )
        yield f"- Compared {_escaped(by)}."
    columns = [column for column in mart.columns if mart.status != "compared" or _differs(column)]
    if columns:
        yield ""
        yield from _columns(columns, mart)
    for kind, heading in _KINDS.items():
        rows = [sample for sample in mart.samples if sample.kind == kind]
        if rows:
            total = getattr(mart, kind)
            yield ""
            yield f"<details><summary>{heading}: {len(rows)} of {total:,}</summary>"
            yield ""
            yield from (_changed_rows(rows) if kind == "changed" else _rows(rows))
            yield ""
            yield "</details>"


def _differs(column: ColumnDifference) -> bool:
    return bool(column.changed) or column.before != column.after


def _columns(columns: Sequence[ColumnDifference], mart: Difference) -> Iterator[str]:
    yield "| column | type | changed | nulls | distinct | least | greatest |"
    yield "|---|---|---:|---:|---:|---|---|"
    both = mart.rows_before - mart.removed if mart.key else 0
    for column in columns:
        sides = (column.before, column.after)
        cells = [
            code(column.name),
            _both(column.type_before, column.type_after),
            _share(column.changed, both) if mart.status == "compared" and mart.key else "",
            *(_numbers(sides, name) for name in ("nulls", "distinct")),
            *(_extremes(sides, name) for name in ("least", "greatest")),
        ]
        yield f"| {' | '.join(cells)} |"


def _share(changed: int, rows: int) -> str:
    if not changed:
        return "0"
    share = 100 * changed / rows
    return f"{changed:,} ({'<0.1' if share < 0.1 else f'{share:.1f}'} %)"


def _numbers(sides: Sequence[Profile | None], name: str) -> str:
    return _arrow(*(f"{getattr(side, name):,}" if side else "" for side in sides))


def _extremes(sides: Sequence[Profile | None], name: str) -> str:
    return _arrow(*(_value(getattr(side, name)) if side else "" for side in sides))


def _both(before: str, after: str) -> str:
    return _arrow(*(code(text) if text else "" for text in (before, after)))


def _arrow(before: str, after: str) -> str:
    if before == after or not before:
        return after
    return f"{before} → {after or 'none'}"


def _changed_rows(rows: Sequence[Sample]) -> Iterator[str]:
    key = list(rows[0].key)
    yield from _head([*key, "what changed"])
    for row in rows:
        changes = "; ".join(
            f"{code(name)} {_value(before)} → {_value(after)}"
            for name, (before, after) in row.values.items()
        )
        yield f"| {' | '.join([*map(_value, row.key.values()), changes])} |"


def _rows(rows: Sequence[Sample]) -> Iterator[str]:
    yield from _head([*rows[0].key, *rows[0].values])
    for row in rows:
        yield f"| {' | '.join(map(_value, [*row.key.values(), *row.values.values()]))} |"


def _head(names: Sequence[str]) -> Iterator[str]:
    yield f"| {' | '.join(map(_escaped, names))} |"
    yield f"|{'---|' * len(names)}"


def _value(value: str | None) -> str:
    return "*null*" if value is None else code(value)


def code(text: str) -> str:
    """A text as a code span that fits a cell of a table, whatever is in it."""
    shown = one_line(text).replace("|", "\\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    space = " " if not shown.strip() or shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{space}{shown or ' '}{space}{fence}"


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|@#~])", r"\\\1", one_line(text))
