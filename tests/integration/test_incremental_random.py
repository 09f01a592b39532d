"""Whatever happens to a warehouse, a run leaves what dbt builds from nothing."""

from __future__ import annotations

import os
import shutil

import pytest

from include.sources.model import contracts
from include.transform.project import FOLDER
from include.warehouse.schema.migrate import migrate
from tests.integration.random_world import RandomWorld

STEPS = int(os.environ.get("STEPS", "3"))
SEEDS = [int(seed) for seed in os.environ.get("SEEDS", "1").split()]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_leaves_what_a_whole_build_does(new_database, tmp_path, seed):
    database = new_database()
    migrate(database.admin, contracts().values(), {})
    ignored = shutil.ignore_patterns("target", "logs")
    project = shutil.copytree(FOLDER, tmp_path / "project", ignore=ignored)
    world = RandomWorld(database, project, tmp_path / "dbt", seed)

    for _ in range(STEPS):
        world.step()

    assert world.compared > 0, world.said
