"""The properties of a document -> the columns of a contract, and its key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from include.definitions import NAME_PATTERN
from include.jobs.author.odcs.words import PERSONAL, column_type, own_words
from include.sources import paths, syntax
from include.sources.raw_table import column_name

_WRAPPED = re.compile(r"\^\(\?:(.*)\)\$", re.DOTALL)
# What other publishers call data about people.
_ABOUT_PEOPLE = {"personal", "pii", "personal data", "personally identifiable information", "gdpr"}
_NUMBERS = ("integer", "double")
_TEXT_LENGTH = 1000
_READ = {
    *("id", "name", "physicalName", "description", "businessName", "logicalType", "physicalType"),
    *("required", "unique", "primaryKey", "primaryKeyPosition", "classification", "enum"),
    *("logicalTypeOptions", "quality", "customProperties", "properties", "items", "map"),
    # What says the same in other words, or nothing about the values.
    *("examples", "tags", "semanticType", "partitioned", "partitionKeyPosition"),
    "criticalDataElement",
}
_OPTIONS = {"pattern", "minimum", "maximum", "minLength", "maxLength", "format", "timezone"}
_DEEPEST = 6


@dataclass
class Columns:
    """Columns of a contract, their key, and remarks on what a contract cannot say."""

    columns: list[dict[str, Any]] = field(default_factory=list)
    key: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def columns_of(properties: list[dict[str, Any]], *, own: bool) -> Columns:
    """The columns of an object's properties; of a document that we have written, exactly those."""
    found = Columns()
    keys: list[tuple[int, str]] = []
    unique: list[str] = []
    taken: set[str] = set()
    for path, item in _flat(properties):
        name = path[-1] if own and NAME_PATTERN.fullmatch(path[-1]) else column_name(path, taken)
        taken.add(name)
        column = _Column(name, path, item, found.remarks).read()
        found.columns.append(column)
        if item.get("primaryKey"):
            keys.append((item.get("primaryKeyPosition", 0), name))
        if (item.get("unique") or _counts_none(item, "duplicateValues")) and column.get("required"):
            unique.append(name)
    found.key = [name for _, name in sorted(keys, key=lambda each: each[0])] or unique[:1]
    _protect_key(found, own)
    return found


def _flat(
    properties: list[dict[str, Any]], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every property that is not an object of others, with its path."""
    for item in properties:
        path = (*above, item.get("physicalName") or item["name"])
        if item.get("properties") and len(path) < _DEEPEST:
            yield from _flat(item["properties"], path)
        else:
            yield path, item


def _protect_key(found: Columns, own: bool) -> None:
    """A key cannot be dropped."""
    for column in found.columns:
        if not own and column["name"] in found.key and column.get("personal") == "drop":
            column["personal"] = "keep"
            found.remarks.append(
                f"`{column['name']}` is personal and part of the key: `personal: keep`."
            )


def _counts_none(item: dict[str, Any], metric: str) -> bool:
    return any(
        rule.get("metric", rule.get("rule")) == metric and rule.get("mustBe") == 0
        for rule in item.get("quality", ())
    )


class _Column:
    """One property, read as a column."""

    def __init__(
        self, name: str, path: tuple[str, ...], item: dict[str, Any], remarks: list[str]
    ) -> None:
        self._name, self._path, self._item = name, path, item
        self._remarks = remarks
        self._own = own_words(item.get("customProperties"))
        self._shown = paths.joined(path)

    def read(self) -> dict[str, Any]:
        item = self._item
        column: dict[str, Any] = {"name": self._name}
        if (self._name,) != self._path and "path" not in self._own:
            column["path"] = paths.joined(self._path)
        type_, without_zone = column_type(item.get("physicalType", ""), item.get("logicalType", ""))
        if not type_:
            type_ = "text"
            self._say("has no type that is known here: `type: text`")
        column["type"] = type_
        if without_zone and not self._own:
            column["zone"] = "UTC"
            self._say("has times without a zone: `zone: UTC`; correct it if they are local")
        column["description"] = (
            item.get("description")
            or item.get("businessName")
            or f"Field `{self._shown}` of the record; describe what it means."
        )
        if item.get("required") or _counts_none(item, "nullValues"):
            column["required"] = True
        self._read_options(column)
        self._read_allowed(column)
        self._read_classification(column)
        self._read_quality(column)
        unread = sorted(item.keys() - _READ)
        if unread:
            self._say(f"left out {', '.join(unread)}")
        return {**column, **self._own}

    def _say(self, what: str) -> None:
        self._remarks.append(f"`{self._shown}` {what}.")

    def _read_options(self, column: dict[str, Any]) -> None:
        options = self._item.get("logicalTypeOptions", {})
        number = column["type"] in _NUMBERS or column["type"].startswith("numeric")
        for name in ("minimum", "maximum"):
            if name in options and number:
                column[name] = options[name]
        if "pattern" in options and column["type"] == "text":
            self._read_pattern(column, options["pattern"])
        elif column["type"] == "text":
            self._read_length(column, options)
        left = {name for name in options if name not in _OPTIONS} | {
            name for name in ("minimum", "maximum", "pattern") if name in options
        } - column.keys()
        left |= {"format"} if isinstance(options.get("format"), str) and not number else set()
        if "pattern" in column:
            left |= {"minLength", "maxLength"} & options.keys() if "pattern" in options else set()
        if left:
            self._say(f"left out {', '.join(sorted(left))} of its logicalTypeOptions")

    def _read_pattern(self, column: dict[str, Any], pattern: str) -> None:
        """A pattern of the standard may match a part of the text; ours matches the whole."""
        if wrapped := _WRAPPED.fullmatch(pattern):
            ours = wrapped[1]
        else:
            # Of alternatives, `^` and `$` hold for the first and the last alone.
            begins = pattern.startswith("^") and "|" not in pattern
            ends = pattern.endswith("$") and not pattern.endswith("\\$") and "|" not in pattern
            inner = pattern[begins : len(pattern) - ends]
            parts = ("" if begins else "(?s:.*)", inner, "" if ends else "(?s:.*)")
            ours = inner if begins and ends else f"{parts[0]}(?:{inner}){parts[2]}"
        try:
            column["pattern"] = syntax.pattern(ours)
        except ValueError as error:
            self._say(f"has a pattern that cannot be checked, left out: {error}")

    def _read_length(self, column: dict[str, Any], options: dict[str, Any]) -> None:
        least, most = options.get("minLength", 0), options.get("maxLength")
        if not least and most is None:
            return
        if max(least, most or 0) > _TEXT_LENGTH or (most is not None and most < least):
            self._say(f"has a length that no pattern can check: {least} to {most}")
            return
        column["pattern"] = f"(?s:.{{{least},{'' if most is None else most}}})"

    def _read_allowed(self, column: dict[str, Any]) -> None:
        values = [each["value"] for each in self._item.get("enum", ())]
        for rule in self._item.get("quality", ()):
            if self._is_of_values(rule):
                values = values or list(rule["arguments"].get("validValues", ()))
        values = [value for value in values if value is not None]
        if column["type"] == "text" and not self._own.get("accept_numbers"):
            values = [value if isinstance(value, str) else str(value) for value in values]
        if values:
            column["allowed"] = values

    def _is_of_values(self, rule: dict[str, Any]) -> bool:
        metric = rule.get("metric", rule.get("rule"))
        return metric == "invalidValues" and rule.get("mustBe") == 0 and "arguments" in rule

    def _read_classification(self, column: dict[str, Any]) -> None:
        said = str(self._item.get("classification", ""))
        tags = {str(tag).lower() for tag in self._item.get("tags", ())}
        if "personal" in self._own or not (said or tags):
            return
        if said.lower() in _ABOUT_PEOPLE or tags & _ABOUT_PEOPLE:
            column["personal"] = "pseudonymise" if column["type"] == "text" else "drop"
            self._say(
                f"is personal: `personal: {column['personal']}`; choose keep, pseudonymise or drop"
            )
        elif said and said.lower() != "public":
            self._say(f"is classified as {said!r}: if it is about people, set `{PERSONAL}`")

    def _read_quality(self, column: dict[str, Any]) -> None:
        for rule in self._item.get("quality", ()):
            metric = rule.get("metric", rule.get("rule", ""))
            if self._is_of_values(rule):
                pattern = rule["arguments"].get("pattern")
                if pattern and column["type"] == "text" and "pattern" not in column:
                    self._read_pattern(column, str(pattern))
            elif metric not in ("nullValues", "duplicateValues") or rule.get("mustBe") != 0:
                shown = rule.get("name") or rule.get("description") or metric or rule.get("type")
                self._say(f"has a quality rule that a contract cannot express, left out: {shown}")
