"""A document of the standard -> the content of a contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args
from urllib.parse import urlsplit

from include.definitions import NAME_PATTERN
from include.errors import PermanentError, UnexpectedPayload
from include.jobs.author.odcs.columns import columns_of
from include.jobs.author.odcs.words import LICENCE, days, own_words
from include.sources.partition import Grain

_GRAINS = {
    **dict.fromkeys(("h", "hour", "hours"), "hour"),
    **dict.fromkeys(("d", "day", "days", "daily"), "day"),
    **dict.fromkeys(("w", "week", "weeks", "weekly"), "week"),
    **dict.fromkeys(("mo", "m", "month", "months", "monthly"), "month"),
    **dict.fromkeys(("q", "quarter", "quarters"), "quarter"),
    **dict.fromkeys(("y", "yr", "year", "years", "yearly"), "year"),
}
_LICENCES = {LICENCE, "license", "datalicense", "datalicence", "dataLicense".lower()}
_READ = {
    *("apiVersion", "kind", "id", "name", "version", "status", "description", "schema", "team"),
    *("slaProperties", "customProperties", "servers", "authoritativeDefinitions", "domain"),
    *("tenant", "dataProduct", "contractCreatedTs", "slaDefaultElement", "tags"),
}
_READ_LEVELS = ("frequency", "latency", "freshness", "retention")
# How each server quotes names; what is not listed cannot be read.
_DATABASES = {
    **dict.fromkeys(("postgresql", "postgres", "sqlserver", "oracle"), '"'),
    "mysql": "`",
}
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
RATE = {"per_second": 1, "burst": 1}


@dataclass
class Imported:
    """The content of a contract, and remarks on what could not be taken over, or was assumed."""

    content: dict[str, Any]
    remarks: list[str] = field(default_factory=list)


def contract_of(document: Mapping[str, Any], *, name: str = "", table: str = "") -> Imported:
    """What a document says of one of its objects, in a contract's words.

    `extract`, `start`, `schedule` and others may be missing from a document
    that others have written. Raises `UnexpectedPayload` for a document that
    has no columns, and `PermanentError` if the object must be chosen.
    """
    own = own_words(document.get("customProperties"))
    item = _chosen(document.get("schema", []), table)
    columns = columns_of(item.get("properties", []), own=bool(own))
    if not columns.columns:
        raise UnexpectedPayload(f"the object {item['name']!r} has no properties.")
    found = Imported({}, columns.remarks)
    words = found.content
    words["name"] = name or _name(str(document.get("name") or item["name"]), item["name"], own)
    words["title"] = item.get("businessName") or _title(str(document.get("name") or item["name"]))
    words["description"] = _description(document, item) or f"Records of {words['title']}."
    _read_people(document, words, found.remarks)
    _read_levels(document.get("slaProperties", ()), words, found.remarks, own)
    if document.get("status", "active") not in ("active", "current", "production"):
        words["enabled"] = False
        found.remarks.append(f"`status` is {document['status']!r}: `enabled: false`.")
    words |= own
    words["columns"], words["key"] = columns.columns, columns.key
    _read_checks(item, words, found.remarks)
    if not own.get("extract", {}).get("kind") or own["extract"]["kind"] == "http":
        _read_server(document, item, words, columns.key, found.remarks, bool(own))
    left = sorted(document.keys() - _READ)
    left += [f"{each} of {item['name']}" for each in ("relationships", "context") if each in item]
    if left:
        found.remarks.append(f"Left out, because a contract cannot express it: {', '.join(left)}.")
    return found


def _chosen(schema: list[dict[str, Any]], table: str) -> dict[str, Any]:
    names = [item["name"] for item in schema]
    if not names:
        raise UnexpectedPayload("the document has no `schema`: no columns for a contract.")
    if table and table not in names:
        raise PermanentError(f"no object {table!r}. Choose {', '.join(names)} with --table.")
    if len(names) > 1 and not table:
        raise PermanentError(
            f"the document has {len(names)} objects, and a contract one table. Choose one with "
            f"--table: {', '.join(names)}."
        )
    return schema[names.index(table) if table else 0]


def _name(document: str, item: str, own: Mapping[str, Any]) -> str:
    if own and NAME_PATTERN.fullmatch(document):
        return document
    for candidate in (item, document):
        slug = re.sub(r"[^a-z0-9]+", "_", candidate.lower()).strip("_")[:48].rstrip("_")
        if NAME_PATTERN.fullmatch(slug):
            return slug
    raise PermanentError(f"no name for the source in {document!r}. Give one with --name.")


def _title(name: str) -> str:
    return re.sub(r"[_\-]+", " ", name).strip().capitalize()


def _description(document: Mapping[str, Any], item: Mapping[str, Any]) -> str:
    said = document.get("description", {})
    parts = [said.get(each) for each in ("purpose", "usage", "limitations")]
    return "\n\n".join(filter(None, parts)) or str(item.get("description", ""))


def _read_people(document: Mapping[str, Any], words: dict[str, Any], remarks: list[str]) -> None:
    team = document.get("team", {})
    members = team if isinstance(team, list) else team.get("members", [])
    owners = [each for each in members if "owner" in str(each.get("role", "")).lower()]
    named = None if isinstance(team, list) else team.get("name")
    first: Mapping[str, Any] = next(iter([*owners, *members]), {})
    words["owner"] = named or first.get("name") or first.get("username") or "data-team"
    publisher = document.get("tenant") or document.get("domain") or document.get("dataProduct")
    words["publisher"] = str(publisher or words["owner"])[:100]
    words["licence"] = _licence(document)
    if not words["licence"]:
        words["licence"] = "unknown; find out before you publish anything"
        remarks.append("The document names no licence.")


def _licence(document: Mapping[str, Any]) -> str:
    described = document.get("description", {})
    properties = [*document.get("customProperties", ()), *described.get("customProperties", ())]
    for item in properties:
        if item["property"].lower() in _LICENCES and item.get("value"):
            return str(item["value"])
    links = [
        *document.get("authoritativeDefinitions", ()),
        *described.get("authoritativeDefinitions", ()),
    ]
    for link in links:
        if re.search("licen[cs]e", link["type"].lower()):
            return str(link.get("description") or link["url"])
    return ""


def _read_levels(
    levels: Any, words: dict[str, Any], remarks: list[str], own: Mapping[str, Any]
) -> None:
    for level in levels:
        name, unit = level["property"], str(level.get("unit", ""))
        if name == "frequency":
            _read_frequency(level, unit, words, remarks)
            continue
        found = days(level.get("value"), unit) if name in _READ_LEVELS else None
        if found is None:
            said = f"{level.get('value')} {unit}".rstrip()
            remarks.append(f"Left out the service level {name}: {said}.")
        elif name == "retention":
            words["retention_days"] = found
        else:
            words["publication_lag_days"] = max(found, words.get("publication_lag_days", 0))


def _read_frequency(
    level: Mapping[str, Any], unit: str, words: dict[str, Any], remarks: list[str]
) -> None:
    unit = unit or str(level.get("value", ""))
    grain = unit if unit in get_args(Grain) else _GRAINS.get(unit.lower(), "")
    if grain in get_args(Grain) and str(level.get("value")) in ("1", "1.0", unit):
        words["period"] = grain
    else:
        remarks.append(f"Left out the frequency: {level.get('value')} {level.get('unit', '')}.")
    if level.get("scheduler", "cron") == "cron" and level.get("schedule"):
        words["schedule"] = str(level["schedule"])


def _read_checks(item: Mapping[str, Any], words: dict[str, Any], remarks: list[str]) -> None:
    for rule in item.get("quality", ()):
        least = _least_rows(rule)
        if least is None:
            shown = rule.get("name") or rule.get("description") or rule.get("metric", rule["type"])
            remarks.append(f"Left out a quality rule that a contract cannot express: {shown}.")
        elif least:
            words["checks"] = {**words.get("checks", {}), "min_records": least}


def _least_rows(rule: Mapping[str, Any]) -> int | None:
    if rule.get("metric", rule.get("rule")) != "rowCount" or rule.get("unit", "rows") != "rows":
        return None
    if "mustBeGreaterOrEqualTo" in rule:
        return int(rule["mustBeGreaterOrEqualTo"])
    if "mustBeGreaterThan" in rule:
        return int(rule["mustBeGreaterThan"]) + 1
    return None


def _read_server(
    document: Mapping[str, Any],
    item: Mapping[str, Any],
    words: dict[str, Any],
    key: list[str],
    remarks: list[str],
    own: bool,
) -> None:
    """Where the data are: an API's address, or a database's table."""
    servers = document.get("servers", ())
    for server in servers:
        if server.get("type") == "api":
            location = urlsplit(server["location"])
            base = server["location"] if own else f"{location.scheme}://{location.netloc}"
            request = {} if own else {"request": {"path": location.path or "/"}, "rate": RATE}
            defaults = {"base_url": base, **request, **({} if own else {"parallel": 1})}
            words["extract"] = {**defaults, **words.get("extract", {})}
            return
        if server.get("type") in _DATABASES and len(key) == 1:
            paths_of = {column["name"]: column.get("path") for column in words["columns"]}
            words["extract"] = _query(server, item, paths_of[key[0]] or key[0])
            remarks.append(
                f"Create the connection `{words['extract']['connection']}` to the server "
                f"{server.get('server')!r}, read-only. The query reads the whole table each time."
            )
            words.setdefault("snapshot", True)
            return
    kinds = ", ".join(sorted({str(server.get("type")) for server in servers})) or "none"
    remarks.append(
        f"None of the document's servers is described well enough to read from (servers: {kinds})."
    )


def _query(server: Mapping[str, Any], item: Mapping[str, Any], key: str) -> dict[str, Any]:
    schema, _, table = str(item.get("physicalName") or item["name"]).rpartition(".")
    if not schema:
        schema = str(
            server.get("schema") or (server["type"] == "mysql" and server["database"]) or ""
        )
    names = [each.get("physicalName") or each["name"] for each in item["properties"]]
    quote = _DATABASES[server["type"]]

    def identifier(name: str) -> str:
        # A percent sign would bind a value.
        quoted = f"{quote}{name.replace(quote, quote * 2)}{quote}"
        return name if _PLAIN.fullmatch(name) else quoted.replace("%", "%%")

    place = ".".join(map(identifier, filter(None, [*schema.split("."), table])))
    connection = re.sub(r"[^a-z0-9_]+", "_", str(server.get("server", "")).lower()).strip("_")
    if not connection[:1].isalpha():
        connection = f"database_{connection}".rstrip("_")
    return {
        "kind": "database",
        "connection": connection,
        "query": f"select {', '.join(map(identifier, names))} from {place}",  # noqa: S608, quoted
        "key": key,
    }
