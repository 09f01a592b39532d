"""Write a contract and a staging model from one answer of an API."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from include.definitions import NAME_PATTERN, validated, yaml_text
from include.errors import (
    BeyondLimit,
    PermanentError,
    SourceRejected,
    SourceUnavailable,
    UnknownName,
)
from include.extract.client import Client
from include.jobs.author.fields import Field, fields_of, key_of
from include.jobs.author.fit import KEY, misfits, wider
from include.jobs.author.sample import Sample, read_sample
from include.jobs.author.sync import sync
from include.settings import Settings
from include.sources import paths
from include.sources.addresses import host_name, host_of
from include.sources.extract import Extract
from include.sources.limits import Limits
from include.sources.model import FOLDER, Contract
from include.sources.page import SentRequest
from include.sources.raw_table import column_name
from include.transform.staging import model_files

# An answer is read at once, by a person who waits.
LIMITS = Limits(answer_bytes=64 * 1024 * 1024, request_seconds=60)
PLACE = "https://api.example.org/path"
HEADING = """\
# yaml-language-server: $schema=contract.schema.json
# Written by `wandle new-source` from one answer. Review it: title, description, licence, the
# rate that the publisher allows, the key, which columns may be null, and what each means.
"""
SCHEDULES = {"day": "0 6 * * *", "month": "0 6 3 * *"}
WRITTEN = re.compile(r"(?<!\d)(?:\d{4}-\d{2}-\d{2}|\d{4}-\d{2})(?![\d-])")
# Braces that do not enclose a contract's placeholder are plain text.
BRACE = re.compile(r"(?P<placeholder>\{(?:period|council|ward|point|window)\b[^{}]*\})|[{}]")


@dataclass(frozen=True)
class Drafted:
    """The files that were written, and remarks on what was guessed."""

    files: list[Path]
    remarks: list[str]


def new_source(
    name: str,
    *,
    url: str,
    file: Path | None,
    period: str,
    records: str = "",
    folder: Path = FOLDER,
) -> Drafted:
    """Write the contract, its staging model and the files generated from them.

    The answer is read from `file`, else fetched from `url`; its records are at
    the path `records`, if given. With `file`, `url` may hold the placeholders
    of a contract; dates in it become those of the period. The contract loads
    every record of the answer.

    Raises `PermanentError` if the source exists, or for an address that no
    contract can request, `UnexpectedPayload` if the answer has no records, or
    one that no contract can load, and `SourceUnavailable` if there is no
    answer.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise UnknownName(f"{name!r} is not a valid name. Use a-z, 0-9 and underscores.")
    if period not in SCHEDULES:
        raise UnknownName(f"{period!r} is not a valid period. Choose day or month.")
    path = folder / f"{name}.yaml"
    if path.exists():
        raise PermanentError(f"{path} exists. Edit it, or choose another name.")
    if not url and not file:
        raise PermanentError("new-source: no answer to read. Pass --url or --file.")
    parts = _split(_live(url) if url else PLACE)
    sample = read_sample(_saved(file) if file else _fetched(url), records)
    fields, remarks = contract_fields(name, sample, parts, period)
    contract = validated(fields, Contract, f"new-source: {path}")
    models = model_files(contract)
    for model in models:
        if model.exists():
            raise PermanentError(f"{model} exists. Move it away, or choose another name.")
    path.write_text(HEADING + yaml_text(fields), encoding="utf-8")
    for model, content in models.items():
        model.parent.mkdir(parents=True, exist_ok=True)
        model.write_text(content, encoding="utf-8")
    return Drafted([path, *models, *sync()], remarks)


def contract_fields(
    name: str, sample: Sample, parts: SplitResult, period: str
) -> tuple[dict[str, Any], list[str]]:
    """The content of a contract that loads the answer of this address, and remarks on it."""
    remarks = [*sample.remarks]
    query = _query(parts)
    paging = sample.paging(query)
    first, request = _request(parts.path, query, paging, period)
    address = parts.geturl()
    asked_for_each = next(
        (each for each in ("ward", "point") if f"{{{each}." in address), "partition"
    )
    of_council = asked_for_each != "partition" or "{council." in address
    fields = fields_of(sample.records)
    columns = _columns(fields)
    key = [columns[fields.index(field)]["name"] for field in key_of(sample.records, fields)]
    content = {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "description": f"Records of {parts.netloc}{parts.path}. Describe what one row is, how "
        "late it is published and whether it is revised.",
        "publisher": parts.netloc,
        "licence": "unknown; find out before you publish anything",
        "owner": "data-team",
        "period": period,
        "councils": "each" if of_council else "uk",
        "start": first,
        "schedule": SCHEDULES[period],
        "extract": {
            "kind": "http",
            "base_url": f"https://{parts.netloc}",
            "rate": {"per_second": 1, "burst": 1},
            "parallel": 1,
            **({} if asked_for_each == "partition" else {"for_each": asked_for_each}),
            "request": request,
            **({"paging": paging} if paging else {}),
        },
        **({"format": sample.format} if sample.format else {}),
        "columns": columns,
        "key": key,
        "checks": {"partition_may_empty": False, "max_records_of_emptied_part": 0},
    }
    content = _fitted(content, sample, fields, remarks)
    if not paging and sample.incomplete():
        remarks.append(
            f"{sample.incomplete()}: are there more pages? The contract requests one; add `paging`."
        )
    if parts.scheme == "http":
        remarks.append("The contract uses https, although the address has http.")
    if "{period" not in json.dumps(request):
        remarks.append(
            "The address has no date: every period gets the answer at the time of the request. "
            "Put `{period:%Y-%m-%d}` into the request, or set `snapshot: true`."
        )
    return content, remarks


def _fitted(
    content: dict[str, Any], sample: Sample, fields: list[Field], remarks: list[str]
) -> dict[str, Any]:
    """The contract with types that hold every record of the answer. Raises `UnexpectedPayload`."""
    all_text = {
        column["name"]: field.all_text
        for column, field in zip(content["columns"], fields, strict=True)
    }
    while True:
        for column in content["columns"]:
            column.pop("required", None)
            if column["name"] in content["key"]:
                column["required"] = True
        contract = validated(content, Contract, "new-source: the draft")
        counts, found = misfits(contract, sample.content, len(sample.records))
        if not found:
            break
        if found.keys() == {KEY}:
            content = {**content, "key": []}
            continue
        content["columns"] = [
            wider(column, all_text[column["name"]], found[column["name"]])
            if column["name"] in found
            else column
            for column in content["columns"]
        ]
    if counts.duplicates:
        remarks.append(f"{counts.duplicates} records are exact duplicates: loaded once.")
    if counts.drift.fields:
        names = ", ".join(name or "(no name)" for name in counts.drift.fields)
        remarks.append(f"No column for {names}: kept in `_extra`.")
    return content


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # raises if it is none
    except ValueError as error:
        raise PermanentError(f"new-source: {url!r} is not an address: {error}.") from error
    if parts.scheme not in ("http", "https") or not host:
        raise PermanentError(f"new-source: {_shown(url)!r} is not an address. Start with https://.")
    if "@" in parts.netloc:
        raise PermanentError("new-source: the address contains a login. Remove it.")
    return parts


def _query(parts: SplitResult) -> dict[str, str]:
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = dict(pairs)
    if len(query) < len(pairs):
        twice = sorted({name for name, _ in pairs if [n for n, _ in pairs].count(name) > 1})
        raise PermanentError(
            f"new-source: the address repeats the parameters {', '.join(twice)}, which a contract "
            "cannot do. Use one value, or one request for each."
        )
    return query


def _request(
    path: str, query: dict[str, str], paging: dict[str, Any] | None, period: str
) -> tuple[date, dict[str, Any]]:
    """The first date in the address, and the request with the period's placeholders."""
    paged = {(paging or {}).get(name, "") for name in ("parameter", "size_parameter")}
    kept = {name: value for name, value in query.items() if name not in paged}
    written = [found for text in (path, *kept.values()) for found in WRITTEN.findall(text)]
    days = sorted({day for day in map(_day, written) if day})
    first = days[0] if days else datetime.now(UTC).date().replace(day=1)

    def dated(text: str) -> str:
        text = BRACE.sub(lambda found: found["placeholder"] or found[0] * 2, text)
        return WRITTEN.sub(lambda found: _placeholder(found[0], days, period), text)

    request = {"path": dated(path) or "/"}
    asked = {name: dated(value) for name, value in kept.items()}
    return first, request | ({"query": asked} if asked else {})


def _placeholder(text: str, days: list[date], period: str) -> str:
    form = "%Y-%m-%d" if len(text) == 10 else "%Y-%m"
    day = _day(text)
    if day is None:
        return text
    if day == days[0]:
        return f"{{period:{form}}}"
    # The day after the period: an exclusive end.
    after = days[0] + timedelta(days=1 if period == "day" else 32)
    if day == (after if period == "day" else after.replace(day=1)):
        return f"{{period.next:{form}}}"
    return f"{{period.last:{form}}}"


def _day(text: str) -> date | None:
    """The day, or the first day of the month; None if it does not exist."""
    try:
        return date.fromisoformat(text if len(text) == 10 else f"{text}-01")
    except ValueError:
        return None


def _columns(fields: list[Field]) -> list[dict[str, Any]]:
    taken: set[str] = set()
    columns = []
    for field in fields:
        name = column_name(field.path, taken)
        taken.add(name)
        column: dict[str, Any] = {"name": name}
        if (name,) != field.path:
            column["path"] = paths.joined(field.path)
        column["type"] = field.type
        if field.without_zone:
            column["zone"] = "UTC"
        if field.blank_is_null:
            column["null_values"] = [""]
        column["description"] = f"Field `{field.shown}` of the record; describe what it means."
        columns.append(column)
    return columns


def _saved(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise PermanentError(f"new-source: {file} cannot be read: {error.strerror}.") from error


def _fetched(url: str) -> bytes:
    """The answer of an address, as a fetch of its source would get it.

    Redirects may not leave the host, which may be a private one: a person has
    named it.
    """
    _split(url)
    host = host_of(url)
    api = Extract.model_validate(
        {
            "base_url": f"https://{host}",
            "private_hosts": [host_name(host)],
            "rate": {"per_second": 1, "burst": 1},
            "parallel": 1,
            "attempts": 1,
            "request": {"path": "/"},
        }
    )
    client = Client(api, api.rate, limits=LIMITS)
    try:
        request = SentRequest(method="GET", url=url)
        return client.ask("new-source", request, check=lambda answer: None).body.read()
    except (BeyondLimit, SourceRejected) as error:
        said = error.what if isinstance(error, BeyondLimit) else str(error)
        raise PermanentError(
            f"new-source: {said.removeprefix('new-source: ').partition(' Retrying')[0].rstrip('.')}"
            ". Correct the address, or save an answer and pass it with --file."
        ) from None
    except SourceUnavailable as error:
        raise SourceUnavailable(
            f"{error} Check the address, or save an answer and pass it with --file."
        ) from None


def _live(url: str) -> str:
    """The address of the real API, if the sandbox answered for it."""
    sandbox = Settings.read().sandbox_url
    if sandbox and url.startswith(f"{sandbox}/"):
        return "https://" + url.removeprefix(f"{sandbox}/")
    return url


def _shown(url: str) -> str:
    return url.partition("?")[0]
