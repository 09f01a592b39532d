"""wandle new-council: which wards of the police API a box takes in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest

from include.councils.model import Council, read_again
from include.definitions import read_definition, yaml_text
from include.errors import (
    PermanentError,
    PipelineError,
    SourceUnavailable,
    UnexpectedPayload,
    UnknownName,
)
from include.jobs.author import new_council as job
from tests.samples import council_fields

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
def api(monkeypatch, tmp_path_factory) -> dict[str, Any]:
    """The API's answers by path; a test may change them. Bytes are sent as they are."""
    answers = dict(ANSWERS)
    monkeypatch.setenv("WANDLE_LIVE", "1")
    monkeypatch.setenv("WANDLE_HOME", str(tmp_path_factory.mktemp("home")))

    def ask(client: object, who: str, request: Any, *, check: Any, **_: Any) -> Any:
        path = request.url.removeprefix(job.API.base_url)
        if path not in answers:
            return SimpleNamespace(status=404)
        found = answers[path]
        if path.endswith("boundary") and isinstance(found, list):
            places = [place for place in found if isinstance(place, tuple)]
            found = [{"latitude": lat, "longitude": lng} for lat, lng in places] or found
        body = BytesIO(found if isinstance(found, bytes) else json.dumps(found).encode())
        answer = SimpleNamespace(status=200, body=body)
        check(answer)
        body.seek(0)
        return answer

    monkeypatch.setattr(job.Client, "ask", ask)
    read_again()
    return answers


def with_wards(api: dict[str, Any], codes: range) -> None:
    """Answers with these wards, all in the box."""
    names = [f"E05{code:06}" for code in codes]
    api["/north/neighbourhoods"] = [{"id": name, "name": f"W{name[-3:]}"} for name in names]
    for name in names:
        api[f"/north/{name}/boundary"] = INSIDE


def another(folder: Any, *wards: str) -> None:
    """A council that has a file, with these wards."""
    fields = council_fields(*wards, name="otherton", title="Otherton", gss_code="E09000002")
    (folder / "otherton.yaml").write_text(yaml_text(fields))


def write(folder, name: str = "smallville", **changed: Any) -> Any:
    given: dict[str, Any] = {
        "title": "Smallville", "gss_code": "E09000001", "box": BOX, "force": "north"
    }  # fmt: skip
    return job.new_council(name, **given | changed, folder=folder)


def test_the_wards_whose_middle_is_in_the_box_are_written(tmp_path):
    written = write(tmp_path)

    council = read_definition(written.path, Council)

    assert written.wards == ["First", "Second"]
    assert [
        (ward.code, ward.name, ward.police_neighbourhood) for ward in council.ward_sets[0].wards
    ] == [
        ("E05000001", "First", "E05000001N"),
        ("E05000002", "Second", "E05000002"),
    ]


def test_the_wards_are_valid_for_all_that_the_police_publish(tmp_path):
    (ward_set,) = read_definition(write(tmp_path).path, Council).ward_sets

    age = datetime.now(UTC).date() - ward_set.first_day
    assert timedelta(days=3 * 365) <= age <= timedelta(days=3 * 366 + 31)
    assert "correct `from`" in ward_set.note


def test_the_middle_and_the_radius_are_those_of_the_box(tmp_path):
    council = read_definition(write(tmp_path).path, Council)

    assert (council.latitude, council.longitude) == (51.1, -0.9)
    assert council.radius_km == pytest.approx(13.2, abs=0.2)
    assert [point.name for point in council.points] == ["Smallville centre"]


def test_wards_of_a_council_that_has_a_file_are_left_out_and_named(tmp_path, api):
    with_wards(api, range(1, 5))
    another(tmp_path, "E05000004")

    written = write(tmp_path)

    assert written.wards == ["W001", "W002", "W003"]
    assert written.others == {"Otherton": ["W004"]}


def test_a_box_that_is_mostly_another_councils_is_refused_with_numbers_and_names(tmp_path, api):
    with_wards(api, range(1, 10))
    another(tmp_path, *(f"E05{code:06}" for code in range(3, 10)))

    with pytest.raises(
        PermanentError,
        match=r"has 2 wards for Smallville, and 7 of Otherton \(W003, .*, W007 and 2 more\)",
    ):
        write(tmp_path)

    assert not (tmp_path / "smallville.yaml").exists()


def test_more_wards_than_a_borough_has_are_refused_unless_that_is_their_number(tmp_path, api):
    with_wards(api, range(1, 62))

    with pytest.raises(PermanentError, match=r"has 61 wards, more than a borough: W001, .*--wards"):
        write(tmp_path)

    assert len(write(tmp_path, wards=61).wards) == 61


@pytest.mark.parametrize("wards", [1, 3])
def test_an_unexpected_number_of_wards_is_refused_with_their_names(tmp_path, wards):
    with pytest.raises(
        PermanentError, match=rf"expected {wards} wards of Smallville .* found 2: First, Second\."
    ):
        write(tmp_path, wards=wards)


def test_a_huge_box_is_refused_before_a_boundary_is_requested(tmp_path, monkeypatch):
    monkeypatch.setattr(job.Client, "ask", lambda *_, **__: pytest.fail("the API was asked"))

    with pytest.raises(PermanentError, match=r"the box 51,-1,52,1 is 138 km by 111 km"):
        write(tmp_path, box="51.0,-1.0,52.0,1.0")


@pytest.mark.parametrize(
    "changed",
    [
        {"gss_code": "X1"},
        {"gss_code": ""},
        {"title": ""},
        {"force": ""},
        {"name": "uk"},
        {"name": "../smallville"},
        {"name": ""},
        {"box": "0,0,0.00001,0.00001"},
        {"box": "nan,nan,nan,nan"},
        {"box": "-inf,-inf,inf,inf"},
        {"box": "51,-1,91,0"},
        {"box": "1e999,0,1,1"},
    ],
    ids=str,
)
def test_odd_input_is_one_sentence(tmp_path, changed):
    with pytest.raises(PipelineError):
        write(tmp_path, **changed)

    assert [*tmp_path.iterdir()] == []


def test_the_gss_code_of_another_council_is_refused(tmp_path):
    another(tmp_path, "E05000009")

    with pytest.raises(PermanentError, match="E09000002 is the GSS code of Otherton"):
        write(tmp_path, gss_code="E09000002")


def test_two_wards_of_one_name_are_one_sentence(tmp_path, api):
    api["/north/neighbourhoods"] = [
        {"id": "E05000001N", "name": "St Helier"}, {"id": "E05000002", "name": "St Helier"}
    ]  # fmt: skip

    with pytest.raises(PipelineError, match="name 'St Helier' appears twice"):
        write(tmp_path)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"error": "x"}, 'Input should be a valid array, found {"error": "x"}'),
        (None, "Input should be a valid array, found null"),
        (7, "Input should be a valid array, found 7"),
        ([1], "item 1: Input should be an object, found 1"),
        ([{"name": "no id"}], 'item 1, id: Field required, found {"name": "no id"}'),
        ([{"id": 5, "name": "x"}], "item 1, id: Input should be a valid string, found 5"),
        ([{"id": "E05000001", "name": None}], "item 1, name: Input should be a valid string"),
        (b"[" * 100_000 + b"]" * 100_000, "recursion limit exceeded"),
    ],
    ids=str,
)
def test_neighbourhoods_of_another_shape_are_one_sentence(tmp_path, api, answer, said):
    api["/north/neighbourhoods"] = answer

    with pytest.raises(UnexpectedPayload) as caught:
        write(tmp_path)

    assert "/north/neighbourhoods: expected a JSON list of objects with id and name" in str(
        caught.value
    )
    assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"error": "x"}, "Input should be a valid array"),
        ([[51.0, -1.0]], "item 1: Input should be an object"),
        ([("51.0", "west")], "item 1, longitude: Input should be a valid number"),
        ([("NaN", "-0.9")], "item 1, latitude"),
        ([("510", "-0.9")], "item 1, latitude: Input should be less than or equal to 90"),
    ],
    ids=str,
)
def test_a_boundary_of_another_shape_is_one_sentence(tmp_path, api, answer, said):
    api["/north/E05000002/boundary"] = answer

    with pytest.raises(UnexpectedPayload) as caught:
        write(tmp_path)

    assert "/north/E05000002/boundary: expected a JSON list of objects with latitude" in str(
        caught.value
    )
    assert said in str(caught.value)


def test_an_answer_that_is_cut_short_may_be_whole_the_next_time(tmp_path, api):
    api["/north/neighbourhoods"] = b'[{"id": "E05000001"'

    with pytest.raises(SourceUnavailable, match="is not complete JSON"):
        write(tmp_path)


def test_wards_without_a_boundary_are_named(tmp_path):
    assert write(tmp_path).unplaced == ["Without a boundary"]


@pytest.mark.parametrize("box", ["", "1,2,3", "51.2,-1,51,-0.8", "a,b,c,d", "1,2,3,4,5"])
def test_what_is_not_a_box_is_refused(tmp_path, box):
    with pytest.raises(UnknownName, match="is not a box"):
        write(tmp_path, box=box)


def test_a_box_without_wards_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(PermanentError, match="has no ward"):
        write(tmp_path, box="55,-3,55.1,-2.9")

    assert list(tmp_path.iterdir()) == []


def test_a_force_that_the_api_does_not_know_is_named(tmp_path):
    with pytest.raises(UnknownName, match="has no force 'south'"):
        write(tmp_path, force="south")


def test_a_council_that_exists_is_not_overwritten(tmp_path):
    write(tmp_path)

    with pytest.raises(PermanentError, match="Edit it, or choose"):
        write(tmp_path)
