"""CloudWatch metrics for the alarms. docs/deploy.md documents their names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3

from include.aws.failures import CONFIG, aws_errors

NAMESPACE = "Wandle"
# The limit of one PutMetricData call.
MOST = 1000


def put(session: boto3.Session, environment: str, measured: list[dict[str, Any]]) -> int:
    """Publish `FreshnessHours` and `Late` per source, and `Heartbeat`; the number of values.

    `measured` comes from `include.transform.freshness`. Raises
    `PermanentError` if the role may not put metrics, and `ServiceUnavailable`.
    """
    values = [_value("Heartbeat", 1, Environment=environment), *_of_sources(environment, measured)]
    client = session.client("cloudwatch", config=CONFIG)
    with aws_errors(
        "AWS: putting metrics",
        f"Check that this role may put metrics in the namespace {NAMESPACE}.",
    ):
        for first in range(0, len(values), MOST):
            client.put_metric_data(Namespace=NAMESPACE, MetricData=values[first : first + MOST])
    return len(values)


def _of_sources(environment: str, measured: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    by_source: dict[str, list[dict[str, Any]]] = {}
    for item in measured:
        by_source.setdefault(item["source"], []).append(item)
    for source, items in by_source.items():
        of = {"Source": source, "Environment": environment}
        yield _value("Late", sum(item["late"] for item in items), **of)
        ages = [item["age_hours"] for item in items]
        if None not in ages:
            yield _value("FreshnessHours", max(ages), **of)


def _value(name: str, value: float, **dimensions: str) -> dict[str, Any]:
    return {
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
        "Value": value,
        "Unit": "Count" if name != "FreshnessHours" else "None",
    }
