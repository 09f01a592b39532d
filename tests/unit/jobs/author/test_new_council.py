"""wandle new-council: which wards of the police API a box takes in."""

from __future__ import annotations

from typing import Any

import pytest

from include.councils.model import Council
from include.definitions import read_definition
from include.errors import PermanentError, UnknownName
from include.jobs.author import new_council as job

BOX = "51.0,-1.0,51.2,-0.8"
INSIDE = [("51.05", "-0.95"), ("51.05", "-0.90"), ("51.10", "-0.90"), ("51.10", "-0.95")]
OUTSIDE = [(str(float(lat) + 1), lng) for lat, lng in INSIDE]
ANSWERS: dict[str, Any] = {
    "/north/neighbourhoods": [
        {"id": "E05000002", "name": "Second"},
        {"id": "E05000001N", "name": "First"},
        {"id": "E05000003", "name": "Elsewhere"},
        {"id": "E05000004", "name": "Without a boundary"},
        {"id": "town-centre", "name": "No ward"},
    ],
    "/north/E05000001N/boundary": INSIDE,
    "/north/E05000002/boundary": INSIDE,
    "/north/E05000003/boundary": OUTSIDE,
}


@pytest.fixture(autouse=True)
def api(monkeypatch) -> None:
    def asked(client: object, path: str) -> Any:
        found = ANSWERS.get(path)
        if path.endswith("boundary") and found:
            return [{"latitude": lat, "longitude": lng} for lat, lng in found]
        return found

    monkeypatch.setattr(job, "_asked", asked)


def write(folder, name: str = "smallville", box: str = BOX, force: str = "north") -> Any:
    return job.new_council(
        name, title="Smallville", gss_code="E09000001", box=box, force=force, folder=folder
    )


def test_the_wards_whose_middle_is_in_the_box_are_written(tmp_path):
    path, wards = write(tmp_path)

    council = read_definition(path, Council)

    assert wards == 2
    assert [
        (ward.code, ward.name, ward.police_neighbourhood) for ward in council.ward_sets[0].wards
    ] == [
        ("E05000001", "First", "E05000001N"),
        ("E05000002", "Second", "E05000002"),
    ]


def test_the_middle_and_the_radius_are_those_of_the_box(tmp_path):
    council = read_definition(write(tmp_path)[0], Council)

    assert (council.latitude, council.longitude) == (51.1, -0.9)
    assert council.radius_km == pytest.approx(13.2, abs=0.2)
    assert [point.name for point in council.points] == ["Smallville centre"]


@pytest.mark.parametrize("box", ["", "1,2,3", "51.2,-1,51,-0.8", "a,b,c,d", "1,2,3,4,5"])
def test_what_is_no_box_is_refused(tmp_path, box):
    with pytest.raises(UnknownName, match="is not a box"):
        write(tmp_path, box=box)


def test_a_box_without_wards_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(PermanentError, match="has no ward"):
        write(tmp_path, box="10,10,11,11")

    assert list(tmp_path.iterdir()) == []


def test_a_force_that_the_api_does_not_know_is_named(tmp_path):
    with pytest.raises(UnknownName, match="has no force 'south'"):
        write(tmp_path, force="south")


def test_a_council_that_exists_is_not_overwritten(tmp_path):
    write(tmp_path)

    with pytest.raises(PermanentError, match="Edit it, or choose"):
        write(tmp_path)
