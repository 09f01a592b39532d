"""Write contracts as files of the Open Data Contract Standard, and make contracts of such files."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.definitions import validated
from include.errors import PermanentError, WrongDefinition
from include.jobs.author.address import Address
from include.jobs.author.draft_files import SCHEDULES, Drafted, free_path, write_draft
from include.jobs.author.odcs.document import read_document
from include.jobs.author.odcs.read import RATE, Imported, contract_of
from include.jobs.author.odcs.write import exported
from include.jobs.author.questions import Ask, Question, answered, refuse
from include.jobs.author.sync import sync
from include.sources import syntax
from include.sources.model import FOLDER, Contract

SUFFIX = ".odcs.yaml"
_HEADING = """\
# Written by `wandle import-odcs` from {file}. Review it: what the standard does not say was
# assumed, above all `extract`, `format`, and what is personal.
"""
_RETENTION_DAYS = 365


def export_odcs(contracts: Iterable[Contract], folder: Path) -> list[Path]:
    """Write each contract as `<source>.odcs.yaml` in the folder; returns the files.

    Raises `PermanentError` if one cannot be written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for contract in contracts:
            path = folder / f"{contract.name}{SUFFIX}"
            path.write_text(exported(contract), encoding="utf-8")
            written.append(path)
    except OSError as error:
        raise PermanentError(
            f"export-odcs: {folder} cannot be written: {error.strerror or error}."
        ) from error
    return written


def import_odcs(
    file: Path,
    *,
    name: str = "",
    table: str = "",
    url: str = "",
    ask: Ask = refuse,
    folder: Path = FOLDER,
) -> Drafted:
    """Write a contract and a staging model from a file of the standard.

    `url` is the address of one request, where no server of the file says it.
    Raises `UnexpectedPayload` for a file that is not of the standard,
    `WrongDefinition` if it says what no contract can, and `PermanentError` if
    something must be chosen or the source exists.
    """
    found = contract_of(read_document(file), name=name, table=table)
    path = free_path(found.content["name"], folder)
    _complete(found, url, ask)
    try:
        contract = validated(found.content, Contract, f"{file}: as a contract")
    except WrongDefinition as error:
        raise WrongDefinition(f"import-odcs: {error}") from error
    content = contract.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    files = write_draft(contract, content, path, _HEADING.format(file=file.name), sync)
    return Drafted(files, found.remarks)


def _complete(found: Imported, url: str, ask: Ask) -> None:
    """Add what the file does not say, with a remark on each."""
    words, remarks = found.content, found.remarks
    if "period" not in words:
        words["period"] = "day"
        remarks.append("The file states no frequency: `period: day`.")
    _read_schedule(words, remarks)
    if url or "extract" not in words:
        given = answered(
            Question(
                "import-odcs: the file does not say where the data are fetched from",
                "--url",
                suggestion="https://api.example.org/{council.gss_code}/{period:%Y-%m-%d}",
            ),
            url,
            ask,
        )
        address = Address.parse(given)
        first, request = address.request(None, words["period"])
        words["extract"] = {
            "base_url": address.base_url,
            "rate": RATE,
            "parallel": 1,
            **({"for_each": address.for_each} if address.for_each else {}),
            "request": request,
        }
        words.pop("snapshot", None)
        if words["period"] == "hour" and "%H" not in str(request):
            words["period"] = "day"
            remarks.append("The address has no hour: `period: day`, though data arrive every hour.")
        words["councils"] = "each" if address.of_council else "uk"
        if first:
            words.setdefault("start", first.isoformat())
        remarks.append("`format` assumes a JSON list: change it to what the API sends.")
    words.setdefault("councils", "uk")
    if "start" not in words:
        words["start"] = datetime.now(UTC).date().replace(day=1).isoformat()
        remarks.append(f"The file states no first day: `start: {words['start']}`.")
    if _is_personal(words) and not words.get("retention_days"):
        words["retention_days"] = _RETENTION_DAYS
        remarks.append(f"Personal data need a retention: `retention_days: {_RETENTION_DAYS}`.")


def _read_schedule(words: dict[str, Any], remarks: list[str]) -> None:
    try:
        syntax.schedule(words.get("schedule", ""))
    except ValueError:
        said = words.get("schedule")
        words["schedule"] = SCHEDULES.get(words["period"], SCHEDULES["day"])
        why = "The file has no schedule"
        if said:
            why = f"The schedule {said!r} is not a cron expression"
        remarks.append(f"{why}: `schedule: {words['schedule']}`.")


def _is_personal(words: dict[str, Any]) -> bool:
    return any(column.get("personal", "no") != "no" for column in words["columns"])
