"""Whatever happens to a warehouse, a run leaves what dbt builds from nothing: `make test-slow`.

`EXAMPLES` decides how many steps are made, `SEED` makes the same choices again.
"""

from __future__ import annotations

import os
import random
import shutil

import pytest

from include.sources.model import contracts
from include.transform.project import FOLDER
from include.warehouse.schema.migrate import migrate
from tests.incremental.random_world import RandomWorld

STEPS = int(os.environ.get("EXAMPLES") or 1_000) // 500
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))


@pytest.mark.timeout(STEPS * 600)
def test_after_any_changes_a_run_leaves_what_a_whole_build_does(new_database, tmp_path):
    database = new_database()
    migrate(database.admin, contracts().values(), {})
    ignored = shutil.ignore_patterns("target", "logs")
    project = shutil.copytree(FOLDER, tmp_path / "project", ignore=ignored)
    with RandomWorld(database, project, tmp_path / "dbt", SEED) as world:
        for _ in range(STEPS):
            world.step()

    assert world.compared > 0, world.said
