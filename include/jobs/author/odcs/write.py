"""A contract -> a document of the standard."""

from __future__ import annotations

import re
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from include.definitions import yaml_text
from include.jobs.author.odcs.document import check
from include.jobs.author.odcs.words import LICENCE, PERSONAL, VERSION, custom, logical_type
from include.sources.model import Contract
from include.sources.raw_table import SCHEMA, sql_type

# What ECMA-262, the syntax of the standard's patterns, does not have or reads in another way.
_NOT_ECMA = re.compile(r"\(\?(?!:)|\\[AzpP]|\[\^?\]")
_HASH_LENGTH = 12


def exported(contract: Contract) -> str:
    """The document as YAML. Raises `UnexpectedPayload` if the standard's schema refuses it."""
    content = document_of(contract)
    check(content, contract.name)
    return yaml_text(content)


def document_of(contract: Contract) -> dict[str, Any]:
    """The document. What the standard has no words for is in custom properties."""
    rest = contract.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    name, title = rest.pop("name"), rest.pop("title")
    columns, key = rest.pop("columns"), rest.pop("key", [])
    checks = rest.get("checks", {})
    quality = _row_count(checks.pop("min_records", 0))
    if not checks:
        rest.pop("checks", None)
    table = {
        "name": name,
        "physicalName": f"{SCHEMA}.{name}",
        "physicalType": "table",
        "logicalType": "object",
        "businessName": title,
        "properties": [_property(column, key) for column in columns],
        **({"quality": quality} if quality else {}),
    }
    return {
        "apiVersion": VERSION,
        "kind": "DataContract",
        "id": str(uuid5(NAMESPACE_URL, f"wandle:{name}")),
        "name": name,
        "version": contract.contract_hash[:_HASH_LENGTH],
        "status": "active" if rest.pop("enabled", True) else "draft",
        "description": {"purpose": rest.pop("description")},
        **_servers(rest["extract"]),
        "team": {"name": rest.pop("owner")},
        "schema": [table],
        "slaProperties": _service_levels(rest),
        "customProperties": [{"property": LICENCE, "value": rest.pop("licence")}, *custom(rest)],
    }


def _servers(extract: dict[str, Any]) -> dict[str, Any]:
    if extract.get("kind", "http") != "http":
        return {}
    location = extract.pop("base_url")
    return {"servers": [{"server": "publisher", "type": "api", "location": location}]}


def _service_levels(rest: dict[str, Any]) -> list[dict[str, Any]]:
    scheduled = {"scheduler": "cron", "schedule": rest.pop("schedule")}
    levels = [{"property": "frequency", "value": 1, "unit": rest.pop("period"), **scheduled}]
    for name, field in (("latency", "publication_lag_days"), ("retention", "retention_days")):
        if days := rest.pop(field, 0):
            levels.append({"property": name, "value": days, "unit": "d"})
    return levels


def _row_count(least: int) -> list[dict[str, Any]]:
    return (
        [{"type": "library", "metric": "rowCount", "mustBeGreaterOrEqualTo": least}]
        if least
        else []
    )


def _property(column: dict[str, Any], key: list[str]) -> dict[str, Any]:
    rest = dict(column)
    name, type_ = rest.pop("name"), rest.pop("type")
    options = _options(rest, type_)
    enum = _enum(rest)
    personal = rest.get("personal", "no") != "no"
    in_key = name in key
    return {
        "name": name,
        "logicalType": logical_type(type_),
        "physicalType": sql_type(type_),
        "description": rest.pop("description"),
        **({"required": True} if rest.pop("required", False) else {}),
        **({"unique": True} if key == [name] else {}),
        **({"primaryKey": True, "primaryKeyPosition": key.index(name) + 1} if in_key else {}),
        **({"classification": PERSONAL} if personal else {}),
        **({"logicalTypeOptions": options} if options else {}),
        **({"enum": enum} if enum else {}),
        **({"customProperties": custom(rest)} if rest else {}),
    }


def _options(rest: dict[str, Any], type_: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if type_ == "integer":
        options["format"] = "i64"
    if type_ == "double":
        options["format"] = "f64"
    if "pattern" in rest and not _NOT_ECMA.search(rest["pattern"]):
        options["pattern"] = f"^(?:{rest.pop('pattern')})$"
    for name in ("minimum", "maximum"):
        if name in rest:
            options[name] = rest.pop(name)
    return options


def _enum(rest: dict[str, Any]) -> list[dict[str, Any]]:
    # A schema compares 1 and 1.0 as numbers, and refuses values that are equal.
    if len(set(rest.get("allowed", ()))) < len(rest.get("allowed", ())):
        return []
    return [{"value": value} for value in rest.pop("allowed", ())]
