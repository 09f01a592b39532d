"""A contract or council file that exhausts its reader, or that cannot be read."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from include.councils.model import Council
from include.definitions import MOST_LEVELS, UniqueKeyLoader, read_definition, read_folder
from include.errors import WrongDefinition
from include.sources.model import Contract
from tests.security.local_user import as_nobody, folder_of_nobody

INCLUDE = Path(__file__).parents[2] / "include"

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
ATTACKS = {
    "lists": ("description: " + "[" * 100_000, "nested deeper than 50 levels"),
    "closed lists": ("description: " + "[" * 400 + "]" * 400, "nested deeper than 50 levels"),
    "mappings": ("description: " + "{a: " * 5_000, "nested deeper than 50 levels"),
    "blocks": ("".join("  " * n + "a:\n" for n in range(500)), "nested deeper than 50 levels"),
    "dashes": ("description: \n  " + "- " * 5_000 + "x", "nested deeper than 50 levels"),
    "keys": ("? " * 5_000 + "x", "nested deeper than 50 levels"),
    "a billion laughs": (LAUGHS, "more than 100,000 values, with aliases written out"),
    "a list in itself": ("description: &a [*a]", "an alias within what it stands for"),
    "a mapping in itself": ("description: &a {b: *a}", "an alias within what it stands for"),
    "a merge of itself": ("description: &a\n  <<: *a", "an alias within what it stands for"),
}


@pytest.mark.parametrize("model", [Contract, Council])
@pytest.mark.parametrize("attack", ATTACKS)
def test_what_would_exhaust_the_reader_is_refused_with_its_file_and_place(tmp_path, attack, model):
    path = tmp_path / "gauges.yaml"
    content, said = ATTACKS[attack]
    path.write_text(content, encoding="utf-8")
    began = time.monotonic()

    with pytest.raises(WrongDefinition) as refused:
        read_definition(path, model)

    assert str(refused.value).startswith(f"{path}: invalid YAML: ")
    assert said in str(refused.value)
    assert "line " in str(refused.value)
    assert len(str(refused.value)) < 1000
    assert time.monotonic() - began < 20


def test_the_limits_leave_room_for_every_definition():

    paths = [*INCLUDE.glob("sources/*.yaml"), *INCLUDE.glob("councils/*.yaml")]
    assert len(paths) > 5
    for path in paths:
        loader = UniqueKeyLoader(path.read_text(encoding="utf-8"))
        assert loader.get_single_data()
        assert loader._nodes < 5_000


def test_a_few_levels_and_aliases_are_fine():
    import yaml

    deep = "[" * (MOST_LEVELS - 2) + "1" + "]" * (MOST_LEVELS - 2)
    found = yaml.load(f"a: &a {deep}\nb: [*a, *a]\n", Loader=UniqueKeyLoader)  # noqa: S506

    assert found["b"] == [found["a"], found["a"]]


def test_a_folder_that_cannot_be_read_is_not_called_empty():
    with folder_of_nobody() as folder:
        (folder / "gauges.yaml").write_text("name: gauges")
        folder.chmod(0o311)
        said = as_nobody(lambda: read_folder(folder, Contract))

    assert said.endswith(f"{folder}: cannot be read: Permission denied.")
