"""Write a contract and a staging model from one answer of an API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import MAXYEAR, UTC, date, datetime
from pathlib import Path
from typing import Any

from include.definitions import validated
from include.errors import PermanentError, UnknownName
from include.jobs.author.address import Address, latest_period
from include.jobs.author.draft import drafted_columns, first_words, fitted
from include.jobs.author.draft_files import Drafted, free_path, write_draft
from include.jobs.author.fetch import fetched, public
from include.jobs.author.inbox import Inbox, inbox_of
from include.jobs.author.metadata.arcgis import described_layer, is_arcgis
from include.jobs.author.metadata.ckan import described_resource, is_ckan
from include.jobs.author.metadata.described import Asking, Described
from include.jobs.author.metadata.openapi import described_operation, is_openapi, may_be_openapi
from include.jobs.author.questions import Ask, Question, answered, refuse
from include.jobs.author.replay import keep_sample
from include.jobs.author.samples.answer import MOST_BYTES, Sample, read_sample
from include.jobs.author.samples.fields import fields_of, key_of
from include.jobs.author.samples.notations import DAY_FIRST, MONTH_FIRST
from include.jobs.author.sync import sync
from include.settings import Settings
from include.sources.model import FOLDER, Contract
from include.sources.partition import Grain, Period

PLACE = "https://api.example.org/path"
HEADING = """\
# Written by `wandle new-source` from one response. Review it: title, description, licence, the
# rate that the publisher allows, the key, which columns may be null, and what each means.
"""
_UNDESCRIBED = Described("")


@dataclass(frozen=True)
class Options:
    """What may be said beside the address: which records, and answers to questions.

    `choice` is an operation, layer or resource, `parameters` are an API's, and
    `dates` whether the day or the month comes first. `headers` are sent along,
    and are the contract's.
    """

    records: str = ""
    choice: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    dates: str = ""
    sheet: str = ""
    pattern: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    ask: Ask = refuse


def new_source(
    name: str,
    *,
    url: str,
    file: Path | None,
    period: Grain,
    asked: str = "",
    council: str = "",
    options: Options = Options(),
    folder: Path = FOLDER,
) -> Drafted:
    """Write the contract, its staging model and the files generated from them.

    The answer is read from `file`, else fetched from `url`. `url` may hold the
    placeholders of a contract, which are filled in for `council`, else any,
    and for the period `asked`, else the latest one; dates in it become those
    of the period. Either may be an OpenAPI document, and `url` a dataset in
    CKAN or an ArcGIS service: then the request is made of what it says. The contract
    loads every record of the answer, and the sandbox replays that of `file`.

    Raises `PermanentError` if the source exists, for an address that no
    contract can request, and for what must be said by an option,
    `UnexpectedPayload` if the answer has no records, or one that no contract
    can load, and what `fetched` raises.
    """
    path = free_path(name, folder)
    named = Period.parse(asked, period) if asked else None
    if named and named.first_day.year == MAXYEAR:
        raise UnknownName(f"new-source: {asked} has no period after it. Choose one that has data.")
    if not url and not file:
        raise PermanentError("new-source: no response to read. Pass --url or --file.")
    settings = Settings.read()
    found = _Finding(settings, options, named or latest_period(period), council)
    content, described = found.read(url, file)
    address = Address.parse(public(described.url, settings) if described.url else PLACE)
    sample = read_sample(content, options.records, options.sheet, options.ask)
    inbox = inbox_of(file.name, period, options.pattern) if file and not url else None
    fields, remarks = contract_fields(
        name, sample, inbox or address, period, named, described, options
    )
    contract = validated(fields, Contract, f"new-source: {path}")
    files = write_draft(contract, fields, path, HEADING, sync)
    kept, remark = keep_sample(contract, sample, settings) if found.is_saved else (None, "")
    remarks = [*found.remarks, *described.remarks, *remarks, *([remark] if remark else [])]
    return Drafted([*files, *([kept] if kept else [])], remarks)


class _Finding:
    """The way to one answer: from a file, by a request, or by what a description says."""

    def __init__(self, settings: Settings, options: Options, period: Period, council: str) -> None:
        self._settings, self._period, self._council = settings, period, council
        self._asking = Asking(self._get, options.ask, options.choice, options.parameters)
        self._headers = options.headers
        self.remarks: list[str] = []
        self.is_saved = False

    def read(self, url: str, file: Path | None) -> tuple[bytes, Described]:
        """The answer, and what is known of it beforehand: the address at least."""
        content = _saved(file) if file else b""
        if file and not is_openapi(content):
            described = self._described(url, is_sampled=True) or Described(url)
            self.is_saved = True
            return content, described
        described = (
            described_operation(content, url, self._asking) if file else self._described(url)
        ) or Described(url)
        content = self._get(described.url)
        if not file and is_openapi(content):
            described = described_operation(content, described.url, self._asking)
            content = self._behind_login(described)
        return content, described

    def _behind_login(self, described: Described) -> bytes:
        try:
            return self._get(described.url)
        except PermanentError as error:
            if not described.auth:
                raise
            raise PermanentError(
                f"{error} The API asks for a login: save a response, and pass it with --file "
                "together with --url."
            ) from None

    def _described(self, url: str, *, is_sampled: bool = False) -> Described | None:
        if url:
            Address.parse(public(url, self._settings))
        if is_arcgis(url):
            return described_layer(url, self._asking)
        if is_sampled and may_be_openapi(url):
            content = self._get(url)
            return described_operation(content, url, self._asking) if is_openapi(content) else None
        return described_resource(url, self._asking) if is_ckan(url) else None

    def _get(self, url: str) -> bytes:
        address = Address.parse(public(url, self._settings))
        target = address.filled(self._period, self._council)
        content, said = fetched(address, target, self._settings, self._headers)
        if address.has_placeholders:
            said += " Choose other values with --for-council and --for-period."
        self.remarks = [said]
        return content


def contract_fields(
    name: str,
    sample: Sample,
    place: Address | Inbox,
    period: Grain,
    asked: Period | None = None,
    described: Described = _UNDESCRIBED,
    options: Options = Options(),
) -> tuple[dict[str, Any], list[str]]:
    """The content of a contract that loads the answer of this place, and remarks on it.

    `period` is the size of a partition, `asked` the period of the answer, if known.
    """
    remarks = [*sample.remarks]
    fields = fields_of(sample.records, _order_of(sample.records, options))
    columns = drafted_columns(fields, described, remarks)
    known = [columns[fields.index(item)]["name"] for item in fields if item.path in described.key]
    keyed = known or [
        columns[fields.index(item)]["name"] for item in key_of(sample.records, fields)
    ]
    if isinstance(place, Inbox):
        where, extract, first = f"{name} files", _of_inbox(place, name, remarks), place.first_day
    else:
        where = f"{place.parts.netloc}{place.parts.path}"
        first, extract = _of_address(place, sample, period, described, remarks)
        if options.headers:
            extract["request"]["headers"] = {**options.headers}
        if described.auth:
            extract["auth"] = {**described.auth, "secret": name}
            remarks.append(f"Set the login with `wandle secrets set {name}`.")
    first = first or (asked.first_day if asked else datetime.now(UTC).date().replace(day=1))
    publisher = "unknown" if isinstance(place, Inbox) else place.parts.netloc
    content = {
        **first_words(name, where, publisher, period),
        "councils": "each" if place.of_council else "uk",
        "start": first,
        **described.words,
        "extract": extract,
        **({"format": sample.format} if sample.format else {}),
        "columns": columns,
        "key": keyed,
        "checks": {"partition_may_empty": False, "max_records_of_emptied_part": 0},
    }
    return fitted(content, sample, fields, remarks), remarks


def _of_inbox(inbox: Inbox, name: str, remarks: list[str]) -> dict[str, Any]:
    remarks.append(
        f"Files are named `{inbox.pattern}`. Load one with `wandle put {name} FILE`, or change "
        "`from`; for a response of an API, pass --url."
    )
    return {"kind": "files", "from": "inbox", "pattern": inbox.pattern}


def _of_address(
    address: Address, sample: Sample, period: Grain, described: Described, remarks: list[str]
) -> tuple[date | None, dict[str, Any]]:
    """The first day in the address, and the `extract` that requests it."""
    paging = dict(described.paging or {}) or sample.paging(address.query)
    first, request = address.request(paging, period)
    for_each = address.for_each
    if not paging and sample.incomplete():
        remarks.append(
            f"{sample.incomplete()}: are there more pages? The contract requests one; add `paging`."
        )
    is_current = described.words.get("snapshot") or period == "all"
    if "{period" not in json.dumps(request) and not is_current:
        remarks.append(
            "The address has no date: every period gets the response at the time of the request. "
            "Put `{period:%Y-%m-%d}` into the request, or set `snapshot: true`."
        )
    return first, {
        "kind": "http",
        "base_url": address.base_url,
        "rate": {"per_second": 1, "burst": 1},
        "parallel": 1,
        **({"for_each": for_each[0] if len(for_each) == 1 else for_each} if for_each else {}),
        "request": request,
        **({"paging": paging} if paging else {}),
    }


def _order_of(records: list[dict[str, Any]], options: Options) -> str:
    """Whether days or months come first in dates, if a column needs it to be said."""
    if options.dates:
        return options.dates
    is_open = [
        item.shown
        for item in fields_of(records)
        if item.notation is not None and item.notation.is_ambiguous
    ]
    if not is_open:
        return ""
    question = Question(
        f"new-source: whether days or months come first in `{is_open[0]}` is ambiguous: every date "
        "can be read both ways",
        "--dates",
        [DAY_FIRST, MONTH_FIRST],
    )
    return answered(question, "", options.ask)


def _saved(file: Path) -> bytes:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise PermanentError(
                f"new-source: {file} is larger than {MOST_BYTES} bytes, the limit of a sample. "
                "Save fewer records."
            )
        return file.read_bytes()
    except OSError as error:
        raise PermanentError(f"new-source: {file} cannot be read: {error.strerror}.") from error
