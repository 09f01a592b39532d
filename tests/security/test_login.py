"""Tokens whose signature is right and whose content is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from include.local.services.airflow import shared_environment

CHECKOUT = Path(__file__).parents[2]

# The signature is verified before; here only what a verified token says is in question.
SCRIPT = """
import asyncio, sys
from jwt import InvalidTokenError
from config.simple_login import SimpleLogin

class Verified:
    async def avalidated_claims(self, token):
        return {"sub": "eve", **eval(token)}

manager = SimpleLogin()
manager._get_token_validator = lambda: Verified()
for token in sys.argv[1:]:
    try:
        user = asyncio.run(manager.get_user_from_token(token))
        reads = manager.is_authorized_dag(method="GET", user=user)
        writes = manager.is_authorized_connection(method="POST", user=user)
        print(token, reads, writes)
    except InvalidTokenError as error:
        print(token, "refused")
"""
ROLES = {
    "{'role': 'admin'}": "True True",
    "{'role': 'VIEWER'}": "True False",
    "{'role': None}": "False False",
    "{'role': 'superuser'}": "refused",
    "{'role': ''}": "refused",
    "{'role': ['admin']}": "refused",
    "{'role': 7}": "refused",
    "{}": "refused",
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, str]:
    home = str(tmp_path_factory.mktemp("airflow"))
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WANDLE_", "AIRFLOW"))}
    done = subprocess.run(
        (sys.executable, "-c", SCRIPT, *ROLES),
        env=kept | {"AIRFLOW_HOME": home, "PYTHONPATH": str(CHECKOUT)},
        cwd="/",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return dict(line.split("} ", 1) for line in lines)


@pytest.mark.parametrize("token", ROLES)
def test_a_token_is_accepted_only_for_a_known_role_and_never_ends_in_an_error(answers, token):
    assert answers[token.rstrip("}")] == ROLES[token]


def test_airflow_uses_this_login():
    assert shared_environment()["AIRFLOW__CORE__AUTH_MANAGER"] == "config.simple_login.SimpleLogin"
