"""Damaged is not missing: what nothing can replace is refused, never made again or overwritten."""

from __future__ import annotations

import json
import os
import shutil
from datetime import date

import pytest

from include.local.home import PathRefused, StateDamaged
from include.local.state import GENERATED, make_secrets, prepare, set_as_of
from include.settings import Settings
from tests.security.local_user import as_nobody, folder_of_nobody

SECRETS, COPY, SANDBOX = "secrets.json", "secrets.copy.json", "sandbox.json"


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(_env_file=None, WANDLE_HOME=tmp_path / "home", WANDLE_PORT_BASE=19230)


DAMAGED = {
    "cut short": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "another value": lambda text: "[]",
    "not UTF-8": lambda text: text.encode()[:40] + b"\xff\xfe" + text.encode()[40:],
    "a NUL": lambda text: "\0" * len(text),
    "nested too deeply": lambda text: "[" * 100_000,
    "a number without end": lambda text: f'{{"pseudonym_key": {"9" * 5000}}}',
    "twice": lambda text: text + text,
    "without its last byte": lambda text: text.rstrip()[:-1],
    "a secret of another type": lambda text: json.dumps(json.loads(text) | {"wandle_admin": [1]}),
    "a secret without a value": lambda text: text.replace(json.loads(text)["pseudonym_key"], "", 1),
    "an empty object": lambda text: "{}",
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_damaged_secrets_are_refused_and_never_replaced(settings, damage):
    prepare(settings)
    path = settings.home / "secrets.json"
    text = path.read_text()
    damaged = damage(text)
    path.write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
    before = path.read_bytes()

    with pytest.raises(
        StateDamaged, match=r"secrets\.json is damaged.*secrets\.copy\.json"
    ) as said:
        prepare(settings)

    assert path.read_bytes() == before
    assert (settings.home / "secrets.copy.json").read_text() == text
    assert not [value for value in json.loads(text).values() if value in str(said.value)]


@pytest.mark.parametrize("name", GENERATED)
def test_a_single_secret_that_is_missing_is_refused_and_not_made_again(settings, name):
    prepare(settings)
    path, copy = settings.home / SECRETS, (settings.home / COPY).read_text()
    lacking = {key: value for key, value in json.loads(copy).items() if key != name}
    path.write_text(json.dumps(lacking))

    with pytest.raises(StateDamaged, match=rf"its copy holds {name} too"):
        prepare(settings)

    assert json.loads(path.read_text()) == lacking
    assert (settings.home / COPY).read_text() == copy


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}"])
def test_where_both_are_damaged_neither_is_replaced(settings, damage):
    prepare(settings)
    for name in (SECRETS, COPY):
        (settings.home / name).write_text(damage)

    with pytest.raises(StateDamaged, match=r"secrets\.json is damaged"):
        prepare(settings)

    assert [(settings.home / name).read_text() for name in (SECRETS, COPY)] == [damage] * 2


def test_an_older_copy_is_completed_and_keeps_what_it_had(settings):
    prepare(settings)
    path, copy = settings.home / SECRETS, settings.home / COPY
    older = dict(list(json.loads(copy.read_text()).items())[:5])
    copy.write_text(json.dumps(older))
    before = path.read_text()

    prepare(settings)

    assert path.read_text() == copy.read_text() == before


@pytest.mark.parametrize("restored", [SECRETS, COPY])
def test_copies_that_differ_are_refused_and_both_stay(settings, restored):
    """One may be of another platform, or of an older backup: only its owner can know."""
    prepare(settings)
    path = settings.home / restored
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pseudonym_key": "00" * 32}))
    before = [(settings.home / name).read_text() for name in (SECRETS, COPY)]

    with pytest.raises(StateDamaged, match="differ in pseudonym_key") as said:
        prepare(settings)

    assert [(settings.home / name).read_text() for name in (SECRETS, COPY)] == before
    assert "00000" not in str(said.value)


@pytest.mark.parametrize("name", [SECRETS, SANDBOX])
def test_a_file_that_cannot_be_read_is_refused_and_stays(settings, name):
    prepare(settings)
    path = settings.home / name
    path.unlink()
    path.mkdir()

    with pytest.raises(StateDamaged, match=rf"{name} cannot be read: Is a directory"):
        prepare(settings)

    assert path.is_dir()


@pytest.mark.parametrize("name", [SECRETS, SANDBOX])
def test_a_file_that_must_not_be_read_is_refused_and_stays(name):
    with folder_of_nobody() as folder:
        settings = Settings(_env_file=None, WANDLE_HOME=folder / "home", WANDLE_PORT_BASE=19230)

        def steps() -> str:
            prepare(settings)
            path = settings.home / name
            path.chmod(0)
            try:
                prepare(settings)
            except StateDamaged as error:
                return f"{path.stat().st_size} bytes stay: {error}"
            return "replaced"

        said = as_nobody(steps)

    assert f"{name} cannot be read: Permission denied" in said
    assert not said.startswith(("0 bytes", "replaced"))


def test_a_state_folder_of_another_user_is_refused_before_a_secret_is_written():
    with folder_of_nobody() as folder:
        (folder / "home").mkdir()
        os.chown(folder / "home", 65534, 65534)
        settings = Settings(_env_file=None, WANDLE_HOME=folder / "home", WANDLE_PORT_BASE=19230)

        with pytest.raises(PathRefused, match="belongs to another user"):
            prepare(settings)

        assert list((folder / "home").iterdir()) == []


def test_secrets_are_as_they_were_once_the_copy_is_restored(settings):
    made = prepare(settings)
    (settings.home / "secrets.json").write_text("{")

    shutil.copy(settings.home / "secrets.copy.json", settings.home / "secrets.json")

    assert prepare(settings) == made


@pytest.mark.parametrize("trace", ["copy", "database"])
def test_lost_secrets_are_not_made_again_where_something_was_made_with_them(settings, trace):
    prepare(settings)
    (settings.home / "secrets.json").unlink()
    if trace == "database":
        (settings.home / "secrets.copy.json").unlink()
        (settings.home / "postgres").mkdir()

    with pytest.raises(StateDamaged, match="is gone"):
        prepare(settings)

    assert not (settings.home / "secrets.json").exists()


@pytest.mark.parametrize("damage", ["{", "[]", ""])
def test_a_damaged_copy_is_made_again_from_intact_secrets(settings, damage):
    prepare(settings)
    copy = settings.home / "secrets.copy.json"
    copy.write_text(damage)

    prepare(settings)

    assert copy.read_text() == (settings.home / "secrets.json").read_text()


def test_a_secret_that_a_newer_version_needs_is_added_to_both_copies(settings):
    settings.home.mkdir()
    make_secrets(settings.home, {"old": lambda: "a"})

    make_secrets(settings.home, {"old": lambda: "b", "new": lambda: "c"})

    for name in ("secrets.json", "secrets.copy.json"):
        assert json.loads((settings.home / name).read_text()) == {"old": "a", "new": "c"}


@pytest.mark.parametrize("damage", ['{"seed": 7, "as', "", "[]", "7", "\0\0", "[" * 100_000])
def test_a_damaged_sandbox_file_is_refused_and_stays(settings, damage):
    prepare(settings)
    path = settings.home / SANDBOX
    path.write_text(damage)

    with pytest.raises(StateDamaged, match=r"sandbox\.json is damaged"):
        prepare(settings)
    with pytest.raises(StateDamaged, match=r"sandbox\.json is damaged"):
        set_as_of(settings, date(2026, 12, 24))

    assert path.read_text() == damage
