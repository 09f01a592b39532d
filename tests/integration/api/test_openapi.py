"""What the OpenAPI document allows, and what it does not, asked by schemathesis.

`EXAMPLES=500` asks so many times of each operation.
"""

from __future__ import annotations

import os
from collections import Counter

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("EXAMPLES", "12"))
# Of every operation, what it must answer: as documented, and to HEAD and unknown methods, too.
CHECKS = (
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_schema_conformance,
)


def test_every_operation_answers_as_documented(server):
    described = httpx.get(f"{server.url}/v1/openapi.json", timeout=60).json()
    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=server.url)
    asked: Counter[int] = Counter()
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 3 + 3 * 3 + 3 + 3 + 4

    for operation in operations:
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            try:
                strategy = operation.as_strategy(generation_mode=mode)
            except Exception as error:
                pytest.fail(f"{operation.label}: {error}")
            _ask(strategy, asked)

    assert asked.total() >= EXAMPLES * len(operations)
    assert asked[200] > 0
    assert asked[400] > 0
    assert max(asked) < 500


def _ask(strategy, asked: Counter[int]) -> None:
    from hypothesis import given

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=strategy)
    def run(case) -> None:
        response = case.call(timeout=60)
        asked[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)

    run()
