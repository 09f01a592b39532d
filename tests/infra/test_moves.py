"""`moved.tf` covers every resource of an environment from before the module `environment`.

tests/infra/apply/test_upgrade.py applies the old layout and plans the upgrade; this test needs
neither the git history nor an apply.
"""

from __future__ import annotations

import re
from pathlib import Path

import hcl2
import pytest

from tests.infra.folders import ENVIRONMENTS
from tests.infra.policies import resources_of

# The addresses in a plan of `dev` with every option on, at commit 98127fe.
OLD_ADDRESSES = Path(__file__).with_name("addresses_before_environment.txt").read_text().split()


def moves(folder):
    """The moves of a root: old address prefix to new one."""
    blocks = hcl2.loads((folder / "moved.tf").read_text())["moved"]
    return {
        re.sub(r"^\$\{|\}$", "", block["from"]): re.sub(r"^\$\{|\}$", "", block["to"])
        for block in blocks
    }


def new_address(address, moved):
    """The address after the moves; None if no move applies."""
    for old, new in moved.items():
        if address == old or address.startswith(f"{old}."):
            return new + address.removeprefix(old)
    return None


@pytest.mark.parametrize("folder", ENVIRONMENTS, ids=lambda folder: folder.name)
def test_every_old_address_moves_to_an_address_in_the_plan(folder, plans):
    moved = moves(folder)
    planned = {
        re.sub(r'\["[^"]*"\]|\[\d+\]', "", resource["address"])
        for resource in resources_of(plans["dev"])
    }

    lost = {old for old in OLD_ADDRESSES if new_address(old, moved) not in planned}

    assert len(OLD_ADDRESSES) > 90
    assert lost == set(), "applying this root would destroy these resources"


def test_an_address_without_a_move_is_lost():
    moved = moves(ENVIRONMENTS[0])
    del moved["module.lake"]

    lost = {old for old in OLD_ADDRESSES if new_address(old, moved) is None}

    assert lost == {old for old in OLD_ADDRESSES if old.startswith("module.lake.")}
    assert lost
