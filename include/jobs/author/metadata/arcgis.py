"""The layers of an ArcGIS feature or map service, by its REST API.

https://developers.arcgis.com/rest/services-reference/enterprise/query-feature-service-layer/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from include.errors import PermanentError
from include.jobs.author.metadata.described import (
    Asking,
    Described,
    Known,
    objects,
    sentence,
    with_query,
)
from include.jobs.author.questions import Question, answered

_SERVICE = re.compile(r"(?P<service>https?://[^?#]+/(?:Feature|Map)Server)(?:/(?P<layer>\d+))?/?")
# Degrees, as GeoJSON has them.
_WGS_84 = "4326"
_MOST_RECORDS = 2_000
_TYPES = {
    **dict.fromkeys(("OID", "SmallInteger", "Integer", "BigInteger"), "integer"),
    **dict.fromkeys(("Single", "Double"), "double"),
    **dict.fromkeys(("String", "GUID", "GlobalID", "XML", "TimeOnly"), "text"),
    **dict.fromkeys(("Date", "TimestampOffset"), "timestamptz"),
    "DateOnly": "date",
}


def is_arcgis(url: str) -> bool:
    """Whether an address is that of a service or of one of its layers."""
    return bool(_SERVICE.fullmatch(url))


def described_layer(url: str, asking: Asking) -> Described:
    """The query for all records of a layer, page by page, with what the service says of its fields.

    Raises `PermanentError` for a service without layers, or one that cannot be queried.
    """
    found = _SERVICE.fullmatch(url)
    if found is None:
        raise PermanentError(f"new-source: {url} is not an ArcGIS service.")
    layer = found["layer"] or _chosen(found["service"], asking)
    place = f"{found['service']}/{layer}"
    answer = _answer(place, asking)
    if "Query" not in str(answer.get("capabilities", "Query")):
        raise PermanentError(f"new-source: {place} cannot be queried. Ask its publisher.")
    fields = objects(answer.get("fields"))
    key = answer.get("objectIdField") or next(
        (item["name"] for item in fields if item.get("type") == "esriFieldTypeOID"), ""
    )
    geometry = bool(answer.get("geometryType"))
    asked = {
        "where": "1=1",
        "outFields": "*",
        **({"outSR": _WGS_84} if geometry else {"returnGeometry": "false"}),
        **({"orderByFields": str(key)} if key else {}),
        "f": "json",
    }
    paging = _paging(answer)
    sized = {"resultOffset": "0", "resultRecordCount": str(paging["size"])} if paging else {}
    return Described(
        url=with_query(f"{place}/query", {**asked, **sized}),
        fields={("attributes", str(item.get("name"))): _known(item) for item in fields},
        key=(("attributes", str(key)),) if key else (),
        paging=paging,
        words=_words(answer),
        remarks=_remarks(answer, paging, geometry),
    )


def _chosen(service: str, asking: Asking) -> str:
    answer = _answer(service, asking)
    layers = objects(answer.get("layers")) + objects(answer.get("tables"))
    names = {str(item.get("name")): str(item.get("id")) for item in layers}
    if not names:
        raise PermanentError(f"new-source: {service} has no layers.")
    if len(names) == 1 and not asking.choice:
        return next(iter(names.values()))
    question = Question(
        f"new-source: {service} has several layers: which one", "--choose", [*names]
    )
    return names[answered(question, asking.choice, asking.ask)]


def _answer(place: str, asking: Asking) -> dict[str, Any]:
    answer = asking.document(with_query(place, {"f": "json"}))
    error = answer.get("error")
    if isinstance(error, dict):
        raise PermanentError(
            f"new-source: {place} answers {error.get('code')}: {sentence(error.get('message'))}."
        )
    return answer


def _paging(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    able = answer.get("advancedQueryCapabilities") or {}
    if not (isinstance(able, dict) and able.get("supportsPagination")):
        return None
    most = answer.get("maxRecordCount")
    size = min(most, _MOST_RECORDS) if isinstance(most, int) and most > 0 else 1000
    return {
        "kind": "offset",
        "size": size,
        "size_parameter": "resultRecordCount",
        "parameter": "resultOffset",
        "more": "exceededTransferLimit",
    }


def _known(item: Mapping[str, Any]) -> Known:
    kind = str(item.get("type", "")).removeprefix("esriFieldType")
    alias = sentence(item.get("alias"))
    words = {"type": _TYPES[kind]} if kind in _TYPES else {}
    if kind == "Date":
        words["format"] = "epoch_ms"
    return Known(alias if alias != item.get("name") else "", words)


def _words(answer: Mapping[str, Any]) -> dict[str, Any]:
    said = {
        "title": sentence(answer.get("name")),
        "description": str(answer.get("description") or "").strip(),
        "licence": sentence(answer.get("copyrightText")),
    }
    return {name: text for name, text in said.items() if text} | {"snapshot": True}


def _remarks(
    answer: Mapping[str, Any], paging: Mapping[str, Any] | None, geometry: bool
) -> tuple[str, ...]:
    found = ["A layer shows only the current state: `snapshot: true`."]
    if geometry:
        found.append("Geometries are Esri JSON, in degrees (WGS 84).")
    if paging is None:
        found.append(
            f"The layer has no paging: at most {answer.get('maxRecordCount')} records are returned."
        )
    return tuple(found)
