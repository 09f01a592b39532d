"""The description of the API by OpenAPI 3.1, made from the descriptions of the datasets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.api.data.columns import Column
from include.api.data.dataset import Dataset
from include.api.data.problems import MEDIA_TYPE
from include.api.data.query import (
    DEFAULT_ROWS,
    MEASURES,
    MOST_ROWS,
    OF_AGGREGATE,
    OF_ROWS,
    OPERATORS,
)
from include.publish.about import MEDIA_TYPES

_OWN = {*OF_ROWS, *OF_AGGREGATE}


def document(version: str, datasets: Mapping[str, Dataset]) -> dict[str, Any]:
    """The OpenAPI document."""
    paths = {
        "/v1/datasets": _get("List the datasets", "listDatasets", ()),
        "/v1/versions": _get("List the published versions", "listVersions", ()),
        "/v1/openapi.json": _get("This document", "openApi", ()),
    }
    schemas: dict[str, Any] = {"Problem": _PROBLEM}
    for name, one in datasets.items():
        schemas[name] = _row(one)
        paths |= _of_dataset(name, one)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Open data of London boroughs",
            "version": version,
            "description": (
                "Rows, aggregates and files of the published datasets. Each answer comes "
                "from one published version, never from a mixture of two."
            ),
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {"Problem": _problem("The request is invalid")},
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        # Keys are optional.
        "security": [{}, {"key": []}, {"bearer": []}],
    }


_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "parameter": {"type": "string"},
        "known": {"type": "array", "items": {"type": "string"}},
        "expected": {"type": "string"},
    },
}


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


def _get(
    summary: str,
    operation: str,
    parameters: tuple[dict[str, Any], ...],
    schema: Mapping[str, Any] | None = None,
    media_type: str = "application/json",
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    answers = {
        "200": {
            "description": "Found",
            "content": {media_type: {"schema": {"type": "object"} if schema is None else schema}},
        },
        "304": {"description": "The client has this content already"},
        **dict.fromkeys(("400", "401", "414", "429", "503"), _REFERENCE),
        **(more or {}),
    }
    return {
        "get": {
            "summary": summary,
            "operationId": operation,
            "parameters": list(parameters),
            "responses": answers,
        }
    }


_REFERENCE = {"$ref": "#/components/responses/Problem"}


def _of_dataset(name: str, one: Dataset) -> dict[str, Any]:
    address, title = f"/v1/datasets/{name}", one.about["title"]
    filters = tuple(_filter(column) for column in one.columns.values() if column.name not in _OWN)
    names = list(one.columns)
    rows = {
        "type": "object",
        "required": ["rows", "next"],
        "properties": {
            "rows": {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}},
            "next": {"type": ["string", "null"]},
        },
    }
    groups = {
        "type": "object",
        "required": ["groups"],
        "properties": {"groups": {"type": "array", "items": {"type": "object"}}},
    }
    found = {
        address: _get(f"{title}: description", f"describe_{name}", ()),
        f"{address}/rows": _get(
            f"{title}: rows",
            f"rows_{name}",
            (*_of_rows(names), *filters),
            rows,
            more={"410": _REFERENCE},
        ),
        f"{address}/aggregate": _get(
            f"{title}: groups", f"aggregate_{name}", (*_of_groups(one), *filters), groups
        ),
    }
    for kind in one.about["files"]:
        found[f"{address}.{kind}"] = _get(
            f"{title}: the file in {kind}",
            f"{kind}_{name}",
            (_parameter("Range", "A range of bytes", {"type": "string"}, place="header"),),
            _file_schema(name, kind),
            MEDIA_TYPES[kind].partition(";")[0],
            {
                "206": {
                    "description": "A part of the file",
                    "content": {MEDIA_TYPES[kind].partition(";")[0]: {"schema": {}}},
                },
                "416": _REFERENCE,
            },
        )
    return found


def _file_schema(name: str, kind: str) -> dict[str, Any]:
    if kind == "json":
        return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}
    return {"type": "object"} if kind == "geojson" else {}


def _row(one: Dataset) -> dict[str, Any]:
    properties = {}
    for column in one.columns.values():
        schema = dict(column.type.schema)
        if "type" in schema and column.name not in one.about["key"]:
            schema["type"] = [schema["type"], "null"]
        properties[column.name] = {**schema, "description": column.description}
    return {"type": "object", "description": one.about["description"], "properties": properties}


def _parameter(
    name: str, description: str, schema: Mapping[str, Any], place: str = "query"
) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": False,
        "description": description,
        "schema": schema,
    }


def _of_rows(names: list[str]) -> tuple[dict[str, Any], ...]:
    limit = {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": DEFAULT_ROWS}
    return (
        _listed("select", "Columns, separated by commas. Default: all", names),
        _listed(
            "order",
            "Columns to sort by. Nulls are last. Default: the dataset's key",
            [f"{name}{way}" for name in names for way in ("", ".asc", ".desc")],
        ),
        _parameter("limit", "Maximum number of rows", limit),
        _parameter("after", "From `next` of the page before", {"type": "string"}),
    )


def _of_groups(one: Dataset) -> tuple[dict[str, Any], ...]:
    measures = ["count"]
    for column in one.columns.values():
        if column.type.parse is not None:
            usable = [measure for measure in MEASURES if measure != "count"]
            if not column.type.is_number:
                usable = ["min", "max"]
            measures += [f"{measure}.{column.name}" for measure in usable]
    comparable = [name for name, column in one.columns.items() if column.type.parse is not None]
    return (
        _listed("group", "Columns to group by. Default: all rows are one group", comparable),
        _listed("measure", "What to compute for each group. Default: count", measures),
    )


def _listed(name: str, description: str, values: list[str]) -> dict[str, Any]:
    schema = {
        "type": "array",
        "items": {"type": "string", "enum": values},
        "uniqueItems": True,
        "minItems": 1,
    }
    return {**_parameter(name, description, schema), "style": "form", "explode": False}


def _filter(column: Column) -> dict[str, Any]:
    operators = OPERATORS if column.type.parse is not None else ("is",)
    return {
        **_parameter(
            column.name,
            f"{column.description} As VALUE, or OPERATOR.VALUE with {', '.join(operators)}. "
            f"Expected: {column.type.looks}. If repeated, all must be true.",
            {"type": "array", "items": {"type": "string"}},
        ),
        "style": "form",
        "explode": True,
    }
