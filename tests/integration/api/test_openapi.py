"""What the OpenAPI document allows, and what it does not, asked by schemathesis.

`EXAMPLES=500` asks so many times of each operation.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

EXAMPLES = int(os.environ.get("EXAMPLES", "12"))
CHECKS = (
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_schema_conformance,
)
AS_DOCUMENTED = schemathesis.GenerationMode.POSITIVE
NOT_AS_DOCUMENTED = schemathesis.GenerationMode.NEGATIVE


@pytest.fixture(scope="module")
def operations(server) -> list[Any]:
    described = httpx.get(f"{server.url}/v1/openapi.json", timeout=60).json()
    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=server.url)
    return [found.ok() for found in schema.get_all_operations()]


@pytest.mark.parametrize("mode", [AS_DOCUMENTED, NOT_AS_DOCUMENTED])
def test_every_operation_answers_as_documented(operations, mode):
    asked: Counter[int] = Counter()
    # Three lists; of three datasets the description, rows, groups, and three or four files.
    assert len(operations) == 3 + 3 * (1 + 2) + 3 + 3 + 4
    for operation in operations:
        # Where there is no parameter, none can be wrong.
        if mode is AS_DOCUMENTED or operation.query:
            ask(operation.as_strategy(generation_mode=mode), asked)

    assert asked.total() >= EXAMPLES * (10 if mode is AS_DOCUMENTED else 6)
    assert asked[400] > 0
    assert asked[200] > 0 or mode is NOT_AS_DOCUMENTED
    assert max(asked) < 500


def ask(strategy: Any, asked: Counter[int]) -> None:
    """Send cases, and check each answer."""

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=strategy)
    def run(case: Any) -> None:
        response = case.call(timeout=60)
        asked[response.status_code] += 1
        # A part of a JSON file is not JSON.
        checks = CHECKS[:2] if response.status_code == 206 else CHECKS
        case.validate_response(response, checks=checks)

    run()
