"""A small evaluator for the IAM policies in a Terraform plan.

It supports what Wandle's policies use: Allow and Deny, wildcards, permissions
boundaries and the condition operators below. Anything else raises an error.
Source: AWS IAM User Guide, "Policy evaluation logic" and "IAM JSON policy
elements: Condition operators".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

# The resource attributes that contain a policy.
POLICY_ATTRIBUTES = ("policy", "assume_role_policy")
KNOWN_ELEMENTS = {"Sid", "Effect", "Action", "Resource", "Principal", "Condition"}


@dataclass(frozen=True)
class Request:
    """One API request: action, resource and condition keys."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Statement:
    """One statement of a policy, and the address of the policy in the plan."""

    address: str
    body: Mapping[str, Any]

    @property
    def sid(self) -> str:
        return str(self.body["Sid"])

    @property
    def actions(self) -> list[str]:
        return _list(self.body["Action"])

    @property
    def resources(self) -> list[str]:
        return _list(self.body.get("Resource", "*"))

    def matches(self, request: Request) -> bool:
        """Whether the statement applies to the request."""
        return (
            any(_like(request.action.lower(), action.lower()) for action in self.actions)
            and any(_like(request.resource, resource) for resource in self.resources)
            and all(
                _holds(operator, key, _list(wanted), request.context)
                for operator, keys in self.body.get("Condition", {}).items()
                for key, wanted in keys.items()
            )
        )


def allows(statements: Iterable[Statement], request: Request) -> bool:
    """Whether at least one statement allows the request and none denies it."""
    effects = {statement.body["Effect"] for statement in statements if statement.matches(request)}
    return effects == {"Allow"}


def resources_of(plan: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every resource in a plan (`terraform show -json`), including nested modules."""
    modules = [plan["planned_values"]["root_module"]]
    while modules:
        module = modules.pop()
        yield from module.get("resources", [])
        modules += module.get("child_modules", [])


def policies_of(plan: Mapping[str, Any]) -> dict[str, list[Statement]]:
    """The statements of each policy in the plan, by `<address>.<attribute>`."""
    found = {}
    for resource in resources_of(plan):
        for attribute in POLICY_ATTRIBUTES:
            text = resource["values"].get(attribute)
            if isinstance(text, str) and '"Statement"' in text:
                address = f"{resource['address']}.{attribute}"
                found[address] = read(address, text)
    return found


def read(address: str, text: str) -> list[Statement]:
    """The statements of a policy. Raises `ValueError` for an unsupported element."""
    statements = _list(json.loads(text)["Statement"])
    for statement in statements:
        unknown = set(statement) - KNOWN_ELEMENTS
        if unknown:
            raise ValueError(f"{address}: unsupported policy elements {sorted(unknown)}")
    return [Statement(address, statement) for statement in statements]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(
        "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern), re.DOTALL
    )


def _like(value: str, pattern: str) -> bool:
    return _pattern(pattern).fullmatch(value) is not None


def _holds(operator: str, key: str, wanted: list[str], context: Mapping[str, str]) -> bool:
    found = context.get(key)
    wanted = [str(value) for value in wanted]
    if operator == "Null":
        return (found is None) == (wanted == ["true"])
    if operator.endswith("IfExists"):
        return found is None or _holds(operator.removesuffix("IfExists"), key, wanted, context)
    if operator == "StringNotEquals":
        return found is None or found not in wanted
    if found is None:
        return False
    if operator in ("StringEquals", "ArnEquals", "Bool"):
        return found in wanted
    if operator in ("StringLike", "ArnLike"):
        return any(_like(found, pattern) for pattern in wanted)
    if operator == "NumericLessThan":
        return all(float(found) < float(value) for value in wanted)
    raise ValueError(f"unsupported condition operator {operator}")
