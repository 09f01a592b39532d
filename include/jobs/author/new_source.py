"""Write a contract and a staging model from one answer of an API."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime
from pathlib import Path
from typing import Any

from include.definitions import NAME_PATTERN, validated, yaml_text
from include.errors import PermanentError, UnknownName
from include.jobs.author.address import Address, latest_period
from include.jobs.author.fetch import fetched, public
from include.jobs.author.fields import Field, fields_of, key_of
from include.jobs.author.fit import KEY, misfits, wider
from include.jobs.author.replay import keep_sample
from include.jobs.author.sample import Sample, read_sample
from include.jobs.author.sync import sync
from include.settings import Settings
from include.sources import paths
from include.sources.model import FOLDER, Contract
from include.sources.partition import Grain, Period
from include.sources.raw_table import column_name
from include.transform.staging import model_files

PLACE = "https://api.example.org/path"
HEADING = """\
# yaml-language-server: $schema=contract.schema.json
# Written by `wandle new-source` from one answer. Review it: title, description, licence, the
# rate that the publisher allows, the key, which columns may be null, and what each means.
"""
SCHEDULES: dict[Grain, str] = {
    "hour": "15 * * * *",
    "day": "0 6 * * *",
    "week": "0 6 * * 2",
    "month": "0 6 3 * *",
    "quarter": "0 6 3 1,4,7,10 *",
    "year": "0 6 3 1 *",
    "financial_year": "0 6 3 4 *",
    "all": "0 6 * * *",
}


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
    period: Grain,
    asked: str = "",
    council: str = "",
    records: str = "",
    folder: Path = FOLDER,
) -> Drafted:
    """Write the contract, its staging model and the files generated from them.

    The answer is read from `file`, else fetched from `url`; its records are at
    the path `records`, if given. `url` may hold the placeholders of a
    contract, which are filled in for `council`, else any, and for the period
    `asked`, else the latest one; dates in it become those of the period. The contract
    loads every record of the answer, and the sandbox replays that of `file`.

    Raises `PermanentError` if the source exists, or for an address that no
    contract can request, `UnexpectedPayload` if the answer has no records, or
    one that no contract can load, and what `fetched` raises.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise UnknownName(
            f"{name!r} is not a valid name. Use up to 48 of a-z, 0-9 and underscores, with a "
            "letter first."
        )
    named = Period.parse(asked, period) if asked else None
    if named and named.first_day.year == MAXYEAR:
        raise UnknownName(f"new-source: {asked} has no period after it. Choose one that has data.")
    path = folder / f"{name}.yaml"
    if path.exists():
        raise PermanentError(f"{path} exists. Edit it, or choose another name.")
    if not url and not file:
        raise PermanentError("new-source: no answer to read. Pass --url or --file.")
    settings = Settings.read()
    address = Address.parse(public(url, settings) if url else PLACE)
    target = address.filled(named or latest_period(period), council)
    content, said = (_saved(file), []) if file else _fetched(address, target, settings)
    sample = read_sample(content, records)
    fields, remarks = contract_fields(name, sample, address, period, named)
    contract = validated(fields, Contract, f"new-source: {path}")
    models = model_files(contract)
    for model in models:
        if model.exists():
            raise PermanentError(f"{model} exists. Move it away, or choose another name.")
    path.write_text(HEADING + yaml_text(fields), encoding="utf-8")
    for model, text in models.items():
        model.parent.mkdir(parents=True, exist_ok=True)
        model.write_text(text, encoding="utf-8")
    kept, remark = keep_sample(contract, sample, settings) if file else (None, "")
    files = [path, *models, *sync(), *([kept] if kept else [])]
    return Drafted(files, [*said, *remarks, *([remark] if remark else [])])


def _fetched(address: Address, target: str, settings: Settings) -> tuple[bytes, list[str]]:
    content, said = fetched(address, target, settings)
    if address.has_placeholders:
        said += " Choose other values with --for-council and --for-period."
    return content, [said]


def contract_fields(
    name: str, sample: Sample, address: Address, period: Grain, asked: Period | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The content of a contract that loads the answer of this address, and remarks on it.

    `period` is the size of a partition, `asked` the period of the answer, if known.
    """
    remarks = [*sample.remarks]
    paging = sample.paging(address.query)
    written, request = address.request(paging, period)
    first = written or (asked.first_day if asked else datetime.now(UTC).date().replace(day=1))
    host, for_each = address.parts.netloc, address.for_each
    fields = fields_of(sample.records)
    columns = _columns(fields)
    key = [columns[fields.index(field)]["name"] for field in key_of(sample.records, fields)]
    content = {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "description": f"Records of {host}{address.parts.path}. Describe what one row is, how "
        "late it is published and whether it is revised.",
        "publisher": host,
        "licence": "unknown; find out before you publish anything",
        "owner": "data-team",
        "period": period,
        "councils": "each" if address.of_council else "uk",
        "start": first,
        "schedule": SCHEDULES[period],
        "extract": {
            "kind": "http",
            "base_url": address.base_url,
            "rate": {"per_second": 1, "burst": 1},
            "parallel": 1,
            **({"for_each": for_each[0] if len(for_each) == 1 else for_each} if for_each else {}),
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
    if "{period" not in json.dumps(request) and period != "all":
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
