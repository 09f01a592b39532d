"""The resources of a CKAN package, by CKAN's action API: https://docs.ckan.org/en/latest/api/."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from include.errors import PermanentError, PipelineError
from include.jobs.author.metadata.described import (
    Asking,
    Described,
    Known,
    objects,
    sentence,
    with_query,
)
from include.jobs.author.questions import Question, answered

_PAGE = re.compile(
    r"(?P<site>.*)/dataset/(?P<package>[^/?#]+)(?:/resource/(?P<resource>[^/?#]+)|/[^/?#]+)?/?"
)
_ACTION = re.compile(
    r"(?P<site>.*)/api/(?:3/)?action/"
    r"(?P<action>package_show|resource_show|datastore_search)"
)
_ROWS = 1_000
_TYPES = {
    **dict.fromkeys(("int", "int2", "int4", "int8", "integer", "bigint"), "integer"),
    **dict.fromkeys(("float4", "float8", "float"), "double"),
    **dict.fromkeys(("bool", "boolean"), "boolean"),
    **dict.fromkeys(("text", "varchar"), "text"),
    **dict.fromkeys(("json", "jsonb"), "jsonb"),
    **dict.fromkeys(("timestamp", "timestamptz"), "timestamptz"),
    "date": "date",
}
# What a contract reads; a page for people is none.
_FILES = {"csv", "tsv", "json", "geojson", "xlsx", "ods", "xml", "zip", "parquet", "txt"}


def is_ckan(url: str) -> bool:
    """Whether an address may be that of a package or a resource in CKAN."""
    path = urlsplit(url).path
    return bool(_PAGE.fullmatch(path) or _ACTION.fullmatch(path))


def described_resource(url: str, asking: Asking) -> Described | None:
    """The rows of a resource in CKAN's datastore, else its file; None if this is no CKAN.

    Raises `PermanentError` for a package without a resource that a contract reads.
    """
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    action = _ACTION.fullmatch(parts.path)
    page = _PAGE.fullmatch(parts.path)
    site = f"{parts.scheme}://{parts.netloc}{(action or page or {'site': ''})['site']}"
    if action and action["action"] == "datastore_search":
        return _rows(site, given.get("resource_id", ""), {}, asking) if len(given) == 1 else None
    try:
        if action and action["action"] == "resource_show":
            return _resource(
                site, _result(site, "resource_show", given.get("id", ""), asking), asking
            )
        if page and page["resource"]:
            return _resource(site, _result(site, "resource_show", page["resource"], asking), asking)
        name = given.get("id", "") if action else page["package"] if page else ""
        package = _result(site, "package_show", name, asking)
    except _NotCkan:
        if action:
            raise
        return None
    return _resource(site, _chosen(package, url, asking), asking, package)


class _NotCkan(PermanentError):
    """The site does not answer as CKAN does."""


def _result(site: str, action: str, name: str, asking: Asking) -> dict[str, Any]:
    address = with_query(f"{site}/api/3/action/{action}", {"id": name})
    try:
        answer = asking.document(address)
    except PipelineError as error:
        raise _NotCkan(str(error)) from error
    result = answer.get("result")
    if answer.get("success") is not True or not isinstance(result, dict):
        raise _NotCkan(f"new-source: {address} does not answer as CKAN does. Correct the address.")
    return result


def _chosen(package: Mapping[str, Any], url: str, asking: Asking) -> dict[str, Any]:
    resources = {
        _label(item): item
        for item in objects(package.get("resources"))
        if item.get("datastore_active") or _format(item) in _FILES
    }
    if not resources:
        known = sorted({_format(item) for item in objects(package.get("resources"))})
        raise PermanentError(
            f"new-source: {url} has no resource that a contract reads, only "
            f"{', '.join(filter(None, known)) or 'none'}."
        )
    if len(resources) == 1 and not asking.choice:
        return next(iter(resources.values()))
    question = Question(
        f"new-source: {url} has several resources: which one", "--choose", [*resources]
    )
    return resources[answered(question, asking.choice, asking.ask)]


def _label(item: Mapping[str, Any]) -> str:
    return sentence(item.get("name")) or str(item.get("id"))


def _format(item: Mapping[str, Any]) -> str:
    return str(item.get("format") or "").lower().strip(". ")


def _resource(
    site: str, item: Mapping[str, Any], asking: Asking, package: Mapping[str, Any] | None = None
) -> Described:
    package = package or {}
    organisation = package.get("organization")
    said = {
        "title": sentence(package.get("title")) or _label(item),
        "description": sentence(item.get("description")) or sentence(package.get("notes")),
        "publisher": sentence(organisation.get("title")) if isinstance(organisation, dict) else "",
        "licence": sentence(package.get("license_title")),
    }
    words = {name: text for name, text in said.items() if text}
    if item.get("datastore_active"):
        return _rows(site, str(item.get("id")), words, asking)
    address = urljoin(f"{site}/", str(item.get("url") or ""))
    return Described(
        address,
        words=words,
        remarks=(f"The resource is the file {address}, not in the datastore.",),
    )


def _rows(site: str, resource: str, words: Mapping[str, Any], asking: Asking) -> Described:
    address = f"{site}/api/3/action/datastore_search"
    answer = asking.document(with_query(address, {"resource_id": resource, "limit": "0"}))
    result = answer.get("result")
    fields = objects(result.get("fields")) if isinstance(result, dict) else []
    asked = {"resource_id": resource, "sort": "_id", "limit": str(_ROWS), "offset": "0"}
    return Described(
        url=with_query(address, asked),
        fields={(str(item.get("id")),): _known(item) for item in fields},
        key=(("_id",),),
        paging={
            "kind": "offset",
            "size": _ROWS,
            "size_parameter": "limit",
            "parameter": "offset",
            "total": "result.total",
        },
        words={**words, "snapshot": True},
        remarks=("The datastore holds only the current state: `snapshot: true`.",),
    )


def _known(item: Mapping[str, Any]) -> Known:
    info = item.get("info")
    said = info if isinstance(info, dict) else {}
    description = sentence(said.get("notes")) or sentence(said.get("label"))
    kind = str(item.get("type", ""))
    words = {"type": _TYPES[kind]} if kind in _TYPES else {}
    if kind == "timestamp":
        words["zone"] = "UTC"
    return Known(description, words)
