"""Write a contract and a staging model from a query of a database."""

from __future__ import annotations

import pathlib
import re
from dataclasses import dataclass
from typing import Any

from include.councils.model import councils
from include.definitions import validated
from include.errors import PermanentError, UnexpectedPayload
from include.extract.databases.describe import QueryColumn, QueryColumns, columns_of_query
from include.extract.databases.fetch import fetch_rows
from include.extract.databases.reader import Asked
from include.jobs.author.address import latest_period
from include.jobs.author.draft import drafted_columns, first_words, fitted
from include.jobs.author.draft_files import Drafted, free_path, write_draft
from include.jobs.author.metadata.described import Described, Known, Path, sentence
from include.jobs.author.questions import Ask, Question, answered, refuse
from include.jobs.author.samples.answer import Sample, read_lines
from include.jobs.author.samples.fields import fields_of
from include.jobs.author.sync import sync
from include.settings import Settings
from include.sources.extract.database import DatabaseExtract
from include.sources.limits import DEFAULT
from include.sources.model import FOLDER, Contract
from include.sources.partition import Grain, Partition, Period

HEADING = """\
# Written by `wandle new-source` from a query. Review it: title, description, licence, what each
# column means, and which ones are personal data.
"""
_ROWS = 1_000
_TYPES = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), "integer"),
    **dict.fromkeys(("float4", "float8"), "double"),
    **dict.fromkeys(("timestamp", "timestamptz"), "timestamptz"),
    **dict.fromkeys(("json", "jsonb"), "jsonb"),
    "bool": "boolean",
    "date": "date",
    "numeric": "numeric(38,10)",
}
_NUMERIC = re.compile(r"numeric\((\d+), ?(\d+)\)")
_MOST_DIGITS = 38
# Names of columns that are about people more often than not.
_ABOUT_PEOPLE = re.compile(
    r"(?i)(^|_)(e?mail|phone|mobile|telephone|forename|surname|first_?name|last_?name|full_?name"
    r"|resident|birth|dob|nino|nhs|address|postcode|remarks|comments?)(_|$)"
)


@dataclass(frozen=True)
class Query:
    """A select, the connection to the database, and the column to page by, if it is given."""

    connection: str
    text: str
    key: str = ""


def new_database_source(
    name: str,
    query: Query,
    period: Grain,
    *,
    asked: str = "",
    council: str = "",
    ask: Ask = refuse,
    folder: pathlib.Path = FOLDER,
) -> Drafted:
    """Write the contract of a query, its staging model and the files generated from them.

    Types, comments and the key are those of the database's catalogue; a key
    that it does not name is asked for. The contract loads the first thousand
    rows of the period `asked`, else of the latest one.

    Raises `PermanentError` for what must be said by an option,
    `UnexpectedPayload` for a period without rows, and what reading raises.
    """
    path = free_path(name, folder)
    dsn = Settings.read().connection(query.connection)
    named = Period.parse(asked, period) if asked else latest_period(period)
    place = (council or next(iter(councils()))) if "%(council)s" in query.text else "uk"
    partition = Partition(name, place, named)
    extract = {"kind": "database", "connection": query.connection, "query": query.text}
    known = validated({**extract, "key": query.key or "?"}, DatabaseExtract, "new-source: query")
    found = columns_of_query(
        dsn, Asked(partition, known, DEFAULT.record_bytes, DEFAULT.request_seconds)
    )
    extract["key"] = _key(found, query.key, ask)
    draft = _content(name, extract, period, named)
    sample = _sample(validated(draft, Contract, "new-source: the draft"), partition, dsn)
    remarks: list[str] = []
    fields = fields_of(sample.records, deepest=0)
    draft["columns"] = drafted_columns(fields, _described(found), remarks)
    draft["key"] = [
        column["name"]
        for column, item in zip(draft["columns"], fields, strict=True)
        if item.path == (extract["key"],)
    ]
    content = fitted(draft, sample, fields, remarks)
    contract = validated(content, Contract, f"new-source: {path}")
    files = write_draft(contract, content, path, HEADING, sync)
    remarks += _remarks(contract, extract["key"], len(sample.records))
    return Drafted(files, remarks)


def _content(name: str, extract: dict[str, Any], period: Grain, named: Period) -> dict[str, Any]:
    query, connection = extract["query"], extract["connection"]
    return {
        **first_words(name, f"the database {connection}", connection, period),
        **({} if "%(period_start)s" in query or period == "all" else {"snapshot": True}),
        "councils": "each" if "%(council)s" in query else "uk",
        "start": named.first_day,
        "extract": {**extract, "page_size": _ROWS},
        "columns": [{"name": "row", "type": "jsonb", "description": "Not known yet."}],
        "checks": {"partition_may_empty": False},
    }


def _sample(contract: Contract, partition: Partition, dsn: str) -> Sample:
    """The first rows. Raises `UnexpectedPayload` if there are none."""
    page = next(iter(fetch_rows(contract, partition, dsn=dsn)), None)
    if page is None or page.body is None:
        raise UnexpectedPayload(
            f"new-source: the query returns no rows for {partition.council} {partition.period}. "
            "Choose a period that has some with --for-period."
        )
    content, layout = page.body.read(), {"kind": "jsonl"}
    return Sample(content, None, layout, read_lines(content, layout))


def _key(found: QueryColumns, given: str, ask: Ask) -> str:
    if found.key and not given:
        return found.key
    names = [column.name for column in found.columns]
    if not names:
        raise PermanentError("new-source: the query returns no columns.")
    likely = next((each for each in names if re.search("(?i)(^|_)(id|no|key|code)$", each)), "")
    question = Question(
        "new-source: the database does not say which column identifies a row",
        "--key-column",
        names,
        likely,
    )
    return answered(question, given, ask)


def _described(found: QueryColumns) -> Described:
    known: dict[Path, Known] = {(each.name,): _known(each) for each in found.columns}
    return Described("", known, is_typed=True)


def _known(column: QueryColumn) -> Known:
    numeric = _NUMERIC.fullmatch(column.type)
    if numeric and int(numeric[1]) <= _MOST_DIGITS:
        words = {"type": f"numeric({numeric[1]},{numeric[2]})"}
    elif column.type.endswith("[]"):
        words = {"type": "jsonb"}
    else:
        words = {"type": _TYPES.get(column.type.partition("(")[0], "text")}
    if column.type.startswith("timestamp") and not column.type.startswith("timestamptz"):
        words["zone"] = "UTC"
    return Known(sentence(column.comment), words)


def _remarks(contract: Contract, key: str, rows: int) -> list[str]:
    found = [f"Pages follow the key `{key}`; {rows} rows were tried."]
    if contract.snapshot:
        found.append(
            "The query does not bind %(period_start)s: every run reads all of it (`snapshot: "
            "true`). If a column says when a row changed, name it in `changed` instead."
        )
    zones = [column.name for column in contract.columns if column.zone]
    if zones:
        found.append(f"Times without a zone are assumed to be UTC: {', '.join(zones)}.")
    people = [column.name for column in contract.columns if _ABOUT_PEOPLE.search(column.name)]
    if people:
        found.append(
            f"These may be about people: {', '.join(people)}. Say so with `personal`, and set "
            "`retention_days`."
        )
    return found
