"""The operations of an OpenAPI document, version 3, or of Swagger 2: https://spec.openapis.org."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import yaml

from include.definitions import UniqueKeyLoader
from include.errors import PermanentError, UnexpectedPayload
from include.jobs.author.metadata.described import (
    Asking,
    Described,
    Known,
    Path,
    objects,
    sentence,
    with_query,
)
from include.jobs.author.metadata.parameters import value_of
from include.jobs.author.questions import Question, answered

# Possessive, and no line end before the name, so that blanks are read once.
_MARK = re.compile(
    rb"""(?m)^[^\S\n]*+\{?[^\S\n]*+["']?(?:openapi|swagger)["']?\s*:\s*["']?[23]\."""
)
_HEAD_BYTES = 64 * 1024
_ADDRESS = re.compile(r"(?i)(openapi|swagger|api-docs?)[^/]*$")
# References may lead in a circle.
_MOST_REFERENCES = 20
_DEEPEST = 6
_WORDS = {
    ("string", "date"): {"type": "date"},
    ("string", "date-time"): {"type": "timestamptz"},
    ("string", ""): {"type": "text"},
    ("integer", ""): {"type": "integer"},
    ("boolean", ""): {"type": "boolean"},
    ("array", ""): {"type": "jsonb"},
}


def is_openapi(content: bytes) -> bool:
    """Whether a body is such a document, by its first field."""
    return bool(_MARK.search(content[:_HEAD_BYTES]))


def may_be_openapi(url: str) -> bool:
    """Whether the address looks like that of such a document."""
    return bool(_ADDRESS.search(urlsplit(url).path))


def described_operation(content: bytes, url: str, asking: Asking) -> Described:
    """One request of the API, with what the document says of the fields of its answer.

    `url` is where the document came from. Raises `PermanentError` for a
    document without such an operation or without an address, and
    `UnexpectedPayload` for one that cannot be read.
    """
    api = _Document(_parsed(content), url)
    operations = dict(api.operations())
    if not operations:
        raise PermanentError(
            "new-source: the OpenAPI document has no GET request that answers in JSON or CSV."
        )
    name = next(iter(operations))
    if len(operations) > 1 or asking.choice:
        question = Question(
            "new-source: the OpenAPI document has several operations: which one",
            "--choose",
            [*operations],
        )
        name = answered(question, asking.choice, asking.ask)
    return api.described(*operations[name], asking)


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        text = content.decode("utf-8-sig")
        try:
            found = json.loads(text)
        except ValueError:
            found = yaml.load(text, Loader=UniqueKeyLoader)  # noqa: S506, a SafeLoader
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise UnexpectedPayload(
            f"new-source: the OpenAPI document cannot be read: {error}"
        ) from error
    if not isinstance(found, dict) or not isinstance(found.get("paths"), dict):
        raise UnexpectedPayload("new-source: the OpenAPI document has no `paths`.")
    return found


class _Document:
    """A document and the address that its own addresses are relative to."""

    def __init__(self, content: dict[str, Any], url: str) -> None:
        self._content, self._url = content, url

    def operations(self) -> Iterator[tuple[str, tuple[str, dict[str, Any]]]]:
        """Each GET that answers in JSON or CSV: its name, path, and itself with all parameters."""
        for path, item in self._content["paths"].items():
            item = self._resolved(item)
            get = item.get("get")
            if not isinstance(get, dict) or self._schema(get) is None:
                continue
            shared = objects(item.get("parameters"))
            name = str(get.get("operationId") or f"GET {path}")
            yield (
                name,
                (str(path), {**get, "parameters": [*shared, *objects(get.get("parameters"))]}),
            )

    def described(self, path: str, operation: dict[str, Any], asking: Asking) -> Described:
        """The request of an operation."""
        asked: dict[str, str] = {}
        for parameter in map(self._resolved, operation["parameters"]):
            name, place = str(parameter.get("name")), parameter.get("in")
            value = value_of(parameter, self._resolved(parameter.get("schema", parameter)), asking)
            if place == "path":
                path = path.replace(f"{{{name}}}", value if "{" in value else quote(value, safe=""))
            elif place == "query" and value:
                asked[name] = value
            elif place == "header" and parameter.get("required"):
                raise PermanentError(
                    f"new-source: the API needs the header {name}. Save a response, pass it with "
                    "--file and the address with --url, and add the header to the contract."
                )
        schema = self._schema(operation) or {}
        info = self._resolved(self._content.get("info", {}))
        licence = self._resolved(info.get("license", {}))
        said = {
            "title": sentence(operation.get("summary")),
            "description": sentence(operation.get("description")),
            "publisher": sentence(info.get("title"))[:100],
            "licence": sentence(licence.get("name")),
        }
        return Described(
            url=with_query(self._base() + path, asked),
            fields=dict(self._fields(schema)),
            words={name: text for name, text in said.items() if text},
            auth=self._auth(operation),
            remarks=tuple(self._remarks(operation)),
        )

    def _base(self) -> str:
        if "host" in self._content:
            schemes = self._content.get("schemes") or ["https"]
            scheme = "https" if "https" in schemes else str(schemes[0])
            base = f"{scheme}://{self._content['host']}{self._content.get('basePath', '')}"
        else:
            server = next(iter(objects(self._content.get("servers"))), {})
            base = str(server.get("url", "/"))
            variables = server.get("variables", {})
            for name, variable in variables.items() if isinstance(variables, dict) else ():
                base = base.replace(f"{{{name}}}", str(self._resolved(variable).get("default", "")))
        base = urljoin(self._url, base)
        if not base.startswith("http"):
            raise PermanentError(
                "new-source: the OpenAPI document names no server. Pass the document's own address "
                "with --url."
            )
        return base.rstrip("/")

    def _needed(self, operation: Mapping[str, Any]) -> list[str]:
        """The names of the logins that the operation asks for; none if it can be without."""
        needed = operation.get("security", self._content.get("security"))
        return [] if not needed or {} in needed else [n for item in objects(needed) for n in item]

    def _remarks(self, operation: Mapping[str, Any]) -> Iterator[str]:
        if names := self._needed(operation):
            yield f"The API asks for a login ({', '.join(sorted(set(names)))})."

    def _auth(self, operation: Mapping[str, Any]) -> dict[str, Any] | None:
        """How the operation logs in, in the words of a contract; None if in no way it has."""
        parts = self._resolved(self._content.get("components", {}))
        schemes = parts.get("securitySchemes") or self._content.get("securityDefinitions") or {}
        for name in self._needed(operation):
            scheme = self._resolved(schemes.get(name)) if isinstance(schemes, dict) else {}
            kind, form = scheme.get("type"), str(scheme.get("scheme", "")).lower()
            flow = self._resolved(self._resolved(scheme.get("flows", {})).get("clientCredentials"))
            if kind == "apiKey" and scheme.get("in") in ("header", "query"):
                place = {"name": scheme.get("name"), "location": scheme["in"]}
                return {"type": "api_key", **place}
            if kind == "http" and form in ("basic", "bearer"):
                return {"type": {"basic": "http_basic"}.get(form, form)}
            if kind == "basic":
                return {"type": "http_basic"}
            if kind == "oauth2" and (flow.get("tokenUrl") or scheme.get("tokenUrl")):
                token = urljoin(self._url, str(flow.get("tokenUrl") or scheme["tokenUrl"]))
                return {"type": "oauth2_client_credentials", "access_token_url": token}
        return None

    def _schema(self, operation: Mapping[str, Any]) -> dict[str, Any] | None:
        """The schema of the answer with status 200; None without a body of JSON or CSV."""
        responses = operation.get("responses")
        for status in ("200", 200, "2XX", "default"):
            response = self._resolved(responses.get(status)) if isinstance(responses, dict) else {}
            if isinstance(response.get("schema"), dict):
                return self._resolved(response["schema"])
            content = response.get("content")
            for kind, item in content.items() if isinstance(content, dict) else ():
                if "json" in kind or "csv" in kind or kind == "*/*":
                    return self._resolved(self._resolved(item).get("schema", {}))
        return None

    def _resolved(self, value: Any) -> dict[str, Any]:
        """An object, or what it refers to within the document; {} for anything else."""
        for _ in range(_MOST_REFERENCES):
            if not isinstance(value, dict):
                return {}
            reference = value.get("$ref")
            if not isinstance(reference, str):
                return value
            value = self._content if reference.startswith("#/") else {}
            for part in reference.removeprefix("#/").split("/"):
                name = part.replace("~1", "/").replace("~0", "~")
                value = value.get(name) if isinstance(value, dict) else None
        return {}

    def _fields(self, schema: Mapping[str, Any]) -> Iterator[tuple[Path, Known]]:
        """The fields of the records: of every object in a list, at its path in the object."""
        for item in self._items(schema, _DEEPEST):
            yield from self._properties(item, (), _DEEPEST)

    def _items(self, schema: Mapping[str, Any], depth: int) -> Iterator[dict[str, Any]]:
        if depth == 0:
            return
        if "items" in schema:
            item = self._resolved(schema["items"])
            yield item
            return
        for inner in self._parts(schema).values():
            yield from self._items(inner, depth - 1)

    def _properties(
        self, schema: Mapping[str, Any], above: Path, depth: int
    ) -> Iterator[tuple[Path, Known]]:
        for name, inner in self._parts(schema).items():
            path = (*above, name)
            below = self._parts(inner)
            if below and depth:
                yield from self._properties(inner, path, depth - 1)
            else:
                yield path, _known(inner)

    def _parts(self, schema: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """The properties of an object, including those of its `allOf`."""
        found: dict[str, dict[str, Any]] = {}
        for each in (schema, *map(self._resolved, objects(schema.get("allOf")))):
            properties = each.get("properties")
            for name, inner in properties.items() if isinstance(properties, dict) else ():
                found[str(name)] = self._resolved(inner)
        return found


def _known(schema: Mapping[str, Any]) -> Known:
    kinds = schema.get("type", "")
    # Version 3.1 has lists, such as [string, null].
    names = [kind for kind in kinds if kind != "null"] if isinstance(kinds, list) else [kinds]
    kind = str(names[0]) if len(names) == 1 else ""
    form = str(schema.get("format", ""))
    words = _WORDS.get((kind, form)) or _WORDS.get((kind, ""), {})
    return Known(sentence(schema.get("description")) or sentence(schema.get("title")), words)
