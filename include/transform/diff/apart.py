"""Build the whole project into a developer's own schemas, without a word in the books of `ops`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from include.sources.model import Contract
from include.transform.build import accounted_for, held_back, refuse_failures
from include.transform.failures import BuildFailed
from include.transform.graph import FAILED, Result, by_layer
from include.transform.process import Dbt
from include.transform.project import Layer
from include.transform.unfilled import (
    LOADED_COLUMNS,
    refuse_dropped,
    refuse_unfilled,
    unfilled_columns,
)


@dataclass(frozen=True)
class BuiltApart:
    """A layer of a developer's schemas."""

    layer: Layer
    results: list[Result]
    seconds: float


def build_apart(
    dbt: Dbt, connection: psycopg.Connection, contracts: Mapping[str, Contract]
) -> list[BuiltApart]:
    """Build and test every node that depends on nothing that failed, layer by layer.

    `connection` reads the ledger. Raises `BuildFailed` naming what failed.
    """
    unfilled = unfilled_columns(connection.execute(LOADED_COLUMNS), contracts)
    filled = refuse_unfilled(dbt.nodes(), unfilled, dbt.project)
    layers = by_layer(refuse_dropped(filled, contracts, dbt.project))
    nodes = {name: node for some in layers.values() for name, node in some.items()}
    built: list[BuiltApart] = []
    failures: list[str] = []
    bad: list[Result] = []
    for layer, wanted in layers.items():
        began = time.monotonic()
        results = held_back(nodes, wanted, [result.unique_id for result in bad])
        held = {result.unique_id for result in results}
        ready = {name: node for name, node in wanted.items() if name not in held}
        results += accounted_for(ready, dbt.build(ready.values()) if ready else [])
        bad = [result for result in results if not result.good]
        bad.sort(key=lambda result: result.status not in FAILED)
        built.append(BuiltApart(layer, results, time.monotonic() - began))
        try:
            refuse_failures(layer, nodes, results)
        except BuildFailed as error:
            failures.append(str(error))
    if failures:
        raise BuildFailed("\n".join(failures))
    return built
