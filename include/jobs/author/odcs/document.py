"""A document of the standard: read from a file, and checked against the standard's own schema."""

from __future__ import annotations

import json
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft201909Validator
from jsonschema.exceptions import best_match

from include.definitions import UniqueKeyLoader
from include.errors import PermanentError, UnexpectedPayload

# No contract comes near.
MOST_BYTES = 4 * 1024 * 1024
_MOST_CHARACTERS = 200
_RENAMED = {
    **dict.fromkeys(("nullValues", "nullCheck", "nullCount", "isNull"), "nullValues"),
    **dict.fromkeys(("duplicateValues", "duplicateCount", "uniqueCheck"), "duplicateValues"),
    **dict.fromkeys(("invalidValues", "validValues"), "invalidValues"),
    **dict.fromkeys(("rowCount", "countCheck"), "rowCount"),
    "missingValues": "missingValues",
}


def read_document(path: Path) -> dict[str, Any]:
    """The document in a file of YAML or JSON.

    Raises `PermanentError` for a file that cannot be read, and `UnexpectedPayload` for one that
    is not a document of the standard's version 3, naming the place.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise UnexpectedPayload(f"{path}: larger than {MOST_BYTES} bytes, the limit.")
        found = yaml.load(content.decode("utf-8-sig"), Loader=UniqueKeyLoader)  # noqa: S506
    except OSError as error:
        raise PermanentError(f"{path}: cannot be read: {error.strerror or error}.") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise UnexpectedPayload(f"{path}: not YAML in UTF-8: {error}") from error
    if not isinstance(found, dict) or found.get("kind") != "DataContract":
        raise UnexpectedPayload(
            f"{path}: not a data contract of the Open Data Contract Standard: expected "
            f"`kind: DataContract` and `apiVersion: v3.…`."
        )
    version = str(found.get("apiVersion", ""))
    if not version.startswith("v3."):
        raise UnexpectedPayload(
            f"{path}: `apiVersion` is {version!r}; expected v3.… Convert the file to version 3 of "
            "the standard first."
        )
    document: dict[str, Any] = _renewed(_plain(found))
    check(document, str(path))
    return document


def check(document: dict[str, Any], where: str) -> None:
    """Raise `UnexpectedPayload` if the standard's schema refuses the document."""
    error = best_match(_validator().iter_errors(_with_types(document)))
    if error is not None:
        place = ".".join(map(str, error.absolute_path)) or "(whole file)"
        said = error.message
        said = said if len(said) <= _MOST_CHARACTERS else f"{said[:_MOST_CHARACTERS]}…"
        raise UnexpectedPayload(f"{where}: the standard's schema refuses `{place}`: {said}.")


@cache
def _validator() -> Draft201909Validator:
    return Draft201909Validator(json.loads(_schema()))


def _schema() -> str:
    return (files("open_data_contract_standard") / "schema.json").read_text(encoding="utf-8")


def _plain(value: Any, *, keep: bool = False) -> Any:
    """The content with dates as text, as JSON has them, and without what is null.

    Within the value of a property, null says something: `keep`.
    """
    if isinstance(value, dict):
        return {
            str(name): _plain(inner, keep=keep or name == "value")
            for name, inner in value.items()
            if inner is not None or keep or name == "value"
        }
    if isinstance(value, list):
        return [_plain(item, keep=keep) for item in value]
    return value.isoformat() if isinstance(value, date | datetime) else value


def _renewed(value: Any) -> Any:
    """The content with quality rules in the words of today; version 3.0 had others."""
    if isinstance(value, list):
        return [_renewed(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {name: _renewed(inner) for name, inner in value.items() if name != "value"}
    found |= {name: inner for name, inner in value.items() if name == "value"}
    if isinstance(found.get("quality"), list):
        found["quality"] = [
            _renewed_rule(rule) if isinstance(rule, dict) else rule for rule in found["quality"]
        ]
    return found


def _renewed_rule(rule: dict[str, Any]) -> dict[str, Any]:
    name = rule.get("rule")
    if not isinstance(name, str) or "metric" in rule:
        return rule
    if name in _RENAMED:
        kept = {word: rule[word] for word in rule if word not in ("rule", "validValues")}
        values = (
            {"arguments": {"validValues": rule["validValues"]}} if "validValues" in rule else {}
        )
        has_limit = any(word.startswith("must") for word in rule)
        return {**kept, "metric": _RENAMED[name], **values, **({} if has_limit else {"mustBe": 0})}
    return {"type": "text", "description": str(rule.get("description") or rule.get("name") or name)}


def _with_types(value: Any, *, is_property: bool = False) -> Any:
    """The content with a type for each property without one.

    The schema's conditions hold for a property that leaves its optional type out, so that it
    would have to be a map.
    """
    if not isinstance(value, dict):
        return (
            [_with_types(item, is_property=is_property) for item in value]
            if isinstance(value, list)
            else value
        )
    below = {
        name: _with_types(inner, is_property=name in ("properties", "items"))
        if name in ("schema", "properties", "items")
        else inner
        for name, inner in value.items()
    }
    if is_property and "logicalType" not in below:
        below["logicalType"] = "object" if "properties" in below else "string"
        if below["logicalType"] == "string":
            below.pop("logicalTypeOptions", None)
    return below
