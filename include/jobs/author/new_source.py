"""Write a contract and a staging model from one answer of an API."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import yaml

from include.definitions import NAME_PATTERN
from include.errors import PermanentError, SourceUnavailable, UnknownName
from include.jobs.author.sample import Field, Sample, read_sample
from include.jobs.author.sync import sync
from include.settings import Settings
from include.sources.model import FOLDER, Contract
from include.transform.staging import model_files

TIMEOUT_SECONDS = 60
PLACE = "https://api.example.org/path"
HEADING = """\
# yaml-language-server: $schema=contract.schema.json
# Written by `wandle new-source` from one answer. Read it over: title, description, licence, the
# rate that the publisher allows, the key, what may be null, and what each column means.
"""
SCHEDULES = {"day": "0 6 * * *", "month": "0 6 3 * *"}
PLACEHOLDERS = {"day": "{period:%Y-%m-%d}", "month": "{period:%Y-%m}"}
WRITTEN = re.compile(r"\d{4}-\d{2}-\d{2}|\d{4}-\d{2}(?![\d-])")


def new_source(
    name: str, *, url: str, file: Path | None, period: str, folder: Path = FOLDER
) -> list[Path]:
    """Write the contract and its staging model, and what else follows from it; returns which.

    The answer is read from `file`, else from `url` as it is given. A `url`
    may hold a contract's placeholders where there is a file; dates that
    stand in it become those of the period. Raises `PermanentError` if there
    is such a source already, `UnexpectedPayload` if the answer holds no
    records, and `SourceUnavailable` if there is no answer.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise UnknownName(f"{name!r} is no name. Use small letters, digits and underscores.")
    if period not in SCHEDULES:
        raise UnknownName(f"{period!r} is no period. Choose day or month.")
    path = folder / f"{name}.yaml"
    if path.exists():
        raise PermanentError(f"{path} exists. Edit it, or choose another name.")
    if not url and not file:
        raise PermanentError("new-source: needs an answer to read. Give --url or --file.")
    sample = read_sample(file.read_bytes() if file else _fetched(url))
    fields = contract_fields(name, sample, _live(url) if url else PLACE, period)
    contract = Contract.model_validate(fields)
    models = model_files(contract)
    for model in models:
        if model.exists():
            raise PermanentError(f"{model} exists. Move it away, or choose another name.")
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=96)
    path.write_text(HEADING + text, encoding="utf-8")
    for model, content in models.items():
        model.parent.mkdir(parents=True, exist_ok=True)
        model.write_text(content, encoding="utf-8")
    return [path, *models, *sync()]


def contract_fields(name: str, sample: Sample, url: str, period: str) -> dict[str, Any]:
    """The content of a contract for what this address answered."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    fields = sample.fields()
    columns = _columns(fields)
    names = {column.get("path", column["name"]): column["name"] for column in columns}
    key = [names[path] for path in sample.key(fields)]
    for column in columns:
        if column["name"] in key:
            column["required"] = True
    paging = sample.paging(query)
    first, request = _request(parts.path, query, paging, period)
    layout = dict(sample.format)
    if any(field.blank_is_null for field in fields):
        layout["null_values"] = [""]
    asked_for_each = next((each for each in ("ward", "point") if f"{{{each}." in url), "partition")
    extract: dict[str, Any] = {
        "kind": "http",
        "base_url": f"https://{parts.netloc}",
        "rate": {"per_second": 1, "burst": 1},
        "parallel": 1,
        **({} if asked_for_each == "partition" else {"for_each": asked_for_each}),
        "request": request,
        **({"paging": paging} if paging else {}),
    }
    each = "each" if asked_for_each != "partition" or "{council." in url else "uk"
    return {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "description": f"What {parts.netloc}{parts.path} answers. Say here what one row is, how "
        "late it is published and whether it is revised.",
        "publisher": parts.netloc,
        "licence": "unknown; look it up before anything is published",
        "owner": "data-team",
        "period": period,
        "councils": each,
        "start": first,
        "schedule": SCHEDULES[period],
        "extract": extract,
        **({"format": layout} if layout else {}),
        "columns": columns,
        "key": key,
    }


def _request(
    path: str, query: dict[str, str], paging: dict[str, Any] | None, period: str
) -> tuple[date, dict[str, Any]]:
    """The first day that the address names, and the request with the period's placeholders."""
    paged = {(paging or {}).get(name, "") for name in ("parameter", "size_parameter")}
    kept = {name: value for name, value in query.items() if name not in paged}
    written = [found for text in (path, *kept.values()) for found in WRITTEN.findall(text)]
    days = sorted({_day(text) for text in written})
    first = days[0] if days else datetime.now(UTC).date().replace(day=1)

    def dated(text: str) -> str:
        return WRITTEN.sub(lambda found: _placeholder(found[0], days, period), text)

    request = {"path": dated(path) or "/"}
    asked = {name: dated(value) for name, value in kept.items()}
    return first, request | ({"query": asked} if asked else {})


def _placeholder(text: str, days: list[date], period: str) -> str:
    form = "%Y-%m-%d" if len(text) == 10 else "%Y-%m"
    day = _day(text)
    if day == days[0]:
        return f"{{period:{form}}}"
    # The day after the period is an end that is not included.
    after = days[0] + timedelta(days=1 if period == "day" else 32)
    if day == (after if period == "day" else after.replace(day=1)):
        return f"{{period.next:{form}}}"
    return f"{{period.last:{form}}}"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text if len(text) == 10 else f"{text}-01")
    except ValueError as error:
        raise PermanentError(f"new-source: {text!r} in the address is no date.") from error


def _columns(fields: list[Field]) -> list[dict[str, Any]]:
    taken: set[str] = set()
    columns = []
    for field in fields:
        name = _column_name(field.path, taken)
        taken.add(name)
        column: dict[str, Any] = {"name": name}
        if name != field.path:
            column["path"] = field.path
        column["type"] = field.type
        if field.without_zone:
            column["zone"] = "UTC"
        column["description"] = f"Field `{field.path}` of the record; say what it means."
        columns.append(column)
    return columns


def _column_name(path: str, taken: set[str]) -> str:
    parts = [_plain(part) for part in path.split(".")]
    for count in range(1, len(parts) + 1):
        name = "_".join(parts[-count:])
        if NAME_PATTERN.fullmatch(name) and name not in taken:
            return name
    number = 2
    base = re.sub(r"^[^a-z]+", "", "_".join(parts))[:40] or "field"
    while f"{base}_{number}" in taken:
        number += 1
    return f"{base}_{number}"


def _plain(part: str) -> str:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", part)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def _fetched(url: str) -> bytes:
    try:
        response = requests.get(url, timeout=TIMEOUT_SECONDS)
    except requests.RequestException as error:
        raise SourceUnavailable(
            f"new-source: no answer from {_shown(url)} ({type(error).__name__}). Is the address "
            "right? Save one answer, and give it with --file."
        ) from error
    if not response.ok:
        raise PermanentError(
            f"new-source: HTTP {response.status_code} from {_shown(url)}. Correct the address."
        )
    return response.content


def _live(url: str) -> str:
    """The API's own address, where the sandbox was asked in its place."""
    sandbox = Settings.read().sandbox_url
    if sandbox and url.startswith(f"{sandbox}/"):
        return "https://" + url.removeprefix(f"{sandbox}/")
    return url


def _shown(url: str) -> str:
    return url.partition("?")[0]
