"""The request of a way: path, query, headers, form or JSON body, with placeholders."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import date
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from include.definitions import Definition, WrongField
from include.sources.extract.auth import header_name
from include.sources.extract.templates import EPOCHS, fill
from include.sources.paths import parts

Place = tuple[str | int, ...]

# Names of headers and parameters that hold a secret.
_SECRET_PARTS = {"apikey", "authorization", "key", "password", "secret", "token"}
_SECRET_PARAMETERS = {
    *("access_token", "api_key", "apikey", "client_secret", "password", "subscription_key"),
}
# What a header's value must not contain; RFC 9110, 5.5.
_NOT_IN_A_HEADER = re.compile(r"[^\x20-\x7e\x80-\xff]")


def _fixed_header(value: str) -> str:
    if set(re.split(r"[-_]", header_name(value).lower())) & _SECRET_PARTS:
        raise ValueError("a secret is never written into a contract: use `extract.auth`")
    return value


def _parameter(value: str) -> str:
    if value.lower().replace("-", "_") in _SECRET_PARAMETERS:
        raise ValueError("a secret is never written into a contract: use `extract.auth`")
    return value


def _header_value(value: str) -> str:
    if _NOT_IN_A_HEADER.search(value) or value != value.strip():
        raise ValueError("expected one line of Latin-1 text without blanks around it")
    return value


def _is_json(value: Any) -> Any:
    _check_json(value, ())
    return value


def _check_json(value: Any, place: Place) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                raise WrongField(f"expected a name in quotes, found {name!r}", *place)
            _check_json(item, (*place, name))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _check_json(item, (*place, number))
    elif isinstance(value, date):
        raise WrongField(f"JSON has no dates: put {value} in quotes", *place)
    elif not isinstance(value, str | int | float | bool | None):
        raise WrongField(f"expected a JSON value, found {type(value).__name__}", *place)
    elif isinstance(value, float) and not math.isfinite(value):
        raise WrongField(f"JSON has no {value}", *place)


class Request(Definition):
    """One request; every text may contain placeholders."""

    method: Literal["GET", "POST"] = Field(default="GET", description="The HTTP method.")
    path: str = Field(pattern=r"^/", description="Below `base_url`.")
    query: dict[Annotated[str, AfterValidator(_parameter)], str | tuple[str, ...]] = Field(
        default_factory=dict,
        description="Query parameters. A list repeats one: `{ward: [E05013928, E05013929]}`.",
    )
    headers: dict[
        Annotated[str, AfterValidator(_fixed_header)],
        Annotated[str, AfterValidator(_header_value)],
    ] = Field(
        default_factory=dict,
        description="Fixed headers: `{Accept: text/csv}`. An answer of a type that `Accept` does "
        "not name fails.",
    )
    form: dict[Annotated[str, AfterValidator(_parameter)], str] = Field(
        default_factory=dict, description="Form fields of a POST."
    )
    json_body: Annotated[Any, BeforeValidator(_is_json)] = Field(
        default=None,
        alias="json",
        description="JSON body of a POST, as nested as it needs to be. A text that is one "
        'placeholder keeps its type: `"{council.latitude}"` is sent as a number, '
        '`"{council.latitude:.4f}"` as text, and `"{period:epoch}"` as a number. '
        "Write other braces twice: `{{`.",
    )

    text: str = Field(
        default="",
        description="Body of a POST in any other language, such as SOAP, with its `Content-Type` "
        "under `headers`. If it begins with `<`, the values of placeholders are escaped as in "
        "XML. Write other braces twice: `{{`.",
    )

    @model_validator(mode="after")
    def _a_body_is_posted(self) -> Request:
        given = {"form": self.form or None, "json": self.json_body, "text": self.text or None}
        bodies = [name for name, body in given.items() if body is not None]
        for name in bodies:
            if self.method != "POST":
                raise WrongField(f"`{name}` needs `method: POST`", name)
        if len(bodies) > 1:
            raise WrongField("a request has one of `form`, `json` and `text`", bodies[-1])
        if self.text and "content-type" not in map(str.lower, self.headers):
            raise WrongField("`text` needs the header Content-Type", "headers")
        for name, texts in self.query.items():
            if not texts and not isinstance(texts, str):
                raise WrongField("expected at least one value", "query", name)
        names = [name.lower() for name in self.headers]
        for name in self.headers:
            if names.count(name.lower()) > 1:
                raise WrongField("this header appears twice", "headers", name)
        return self

    def check_body_takes(self, *parameters: str) -> None:
        """Raise `WrongField` if the body cannot have these parameters of paging."""
        place = ("paging", "location")
        if not self.form and not isinstance(self.json_body, dict):
            raise WrongField("`location: body` needs `form`, or an object in `json`", *place)
        for parameter in filter(None, parameters):
            inner: Any = self.json_body if not self.form else {}
            try:
                names = parts(parameter) if not self.form else ()
            except ValueError as error:
                raise WrongField(str(error), *place) from None
            for name in names[:-1]:
                inner = inner.get(name, {})
                if not isinstance(inner, dict):
                    raise WrongField(f"{parameter!r} leads through a value of `json`", *place)

    def places(self) -> Iterator[tuple[Place, str]]:
        """Every text that may contain placeholders, and where it is."""
        yield ("path",), self.path
        for name, found in self.query.items():
            if isinstance(found, str):
                yield ("query", name), found
            else:
                yield from ((("query", name, place), text) for place, text in enumerate(found))
        for field, texts in (("headers", self.headers), ("form", self.form)):
            for name, text in texts.items():
                yield (field, name), text
        yield from _texts(self.json_body, ("json",))
        if self.text:
            yield ("text",), self.text

    def texts(self) -> Iterator[str]:
        """Every text that may contain placeholders."""
        return (text for _, text in self.places())


def _texts(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, (*place, name))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _texts(item, (*place, number))


def filled(body: Any, values: Mapping[str, Any]) -> Any:
    """A JSON value with the placeholders of its texts replaced."""
    if isinstance(body, dict):
        return {name: filled(item, values) for name, item in body.items()}
    if isinstance(body, list | tuple):
        return [filled(item, values) for item in body]
    if not isinstance(body, str):
        return body
    alone, form = _only_placeholder(body)
    if form in EPOCHS:
        return int(fill(body, values))
    if alone and not form and isinstance(values[alone], bool | int | float | None):
        return values[alone]
    return fill(body, values)


def filled_text(template: str, values: Mapping[str, Any]) -> str:
    """A text body with its placeholders replaced, escaped in XML."""
    if template.lstrip().startswith("<"):
        escaped = {name: _in_xml(value) for name, value in values.items()}
        return fill(template, escaped)
    return fill(template, values)


def _in_xml(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    for letter, name in (("&", "amp"), ("<", "lt"), (">", "gt"), ('"', "quot"), ("'", "apos")):
        value = value.replace(letter, f"&{name};")
    return value


def _only_placeholder(text: str) -> tuple[str, str]:
    """The name and format of the placeholder that a text is; empty if it is anything else."""
    found = list(Formatter().parse(text))
    if len(found) != 1 or found[0][0] or not found[0][1]:
        return "", ""
    _, name, form, _ = found[0]
    return name or "", form or ""


def is_header_value(text: str) -> bool:
    """Whether a header may have this value."""
    return not _NOT_IN_A_HEADER.search(text)
