"""Marts whose rows count rows of an intermediate model, as declared in their `meta`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from include.transform.project import FOLDER


@dataclass(frozen=True)
class Counted:
    """A mart whose rows count the rows of `model` with the same `grain`.

    `source` is the source they come from; `grain` maps the columns of the
    mart's primary key, which the model also has, to their SQL types.
    """

    name: str
    model: str
    source: str
    grain: dict[str, str]


def counted_marts(folder: Path = FOLDER) -> dict[str, Counted]:
    """Every mart with `counts` in its meta, by name."""
    marts = (
        _counted(model, model["config"]["meta"]["counts"])
        for path in sorted(folder.glob("models/marts/*.yml"))
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", ())
        if "counts" in model.get("config", {}).get("meta", {})
    )
    return {mart.name: mart for mart in marts}


def _counted(model: dict[str, Any], counts: dict[str, str]) -> Counted:
    types = {column["name"]: column["data_type"] for column in model["columns"]}
    [key] = [rule for rule in model["constraints"] if rule["type"] == "primary_key"]
    grain = {name: types[name] for name in key["columns"]}
    return Counted(model["name"], counts["model"], counts["source"], grain)
