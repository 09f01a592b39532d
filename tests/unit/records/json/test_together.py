"""Small bodies parsed together: the same values as one by one, for any texts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.records.json.long_numbers import SHORT_BYTES
from include.records.json.together import ParsedBody, parsed_together
from include.records.json.values import parsed, without_loss

FILLING = "x" * SHORT_BYTES
PLAIN = '[{"id":1,"at":"12:30","where":{"lat":51.25}},{"id":2,"at":null,"where":null}]'
TEXTS = st.sampled_from(
    [
        PLAIN,
        json.dumps(FILLING),
        '{"items":[{"id":1}],"next":null}',
        '[{"id":1,"id":2}]',
        '[{"id" :1,"no":2,"no":3}]',
        '[{"id": 12345678.123456789}]',
        '[{"id": 1e-300}]',
        '[{"said":"\\"id\\":"}]',
        "[1,2",
        "",
        "not JSON",
        "[NaN]",
        '["\\ud800"]',
        "0.1",
        "[" * 2_000 + "]" * 2_000,
    ]
)


@given(st.lists(TEXTS, max_size=12))
def test_each_value_is_the_same_as_if_its_text_were_parsed_alone(texts):
    bodies = parsed_together([text.encode() for text in texts])

    assert [body.read().decode() for body in bodies] == texts
    for body, text in zip(bodies, texts, strict=True):
        if isinstance(body, ParsedBody):
            alone = parsed(text.encode())
            assert repr(body.value) == repr(without_loss(text.encode(), alone))


def test_usual_texts_are_parsed():
    bodies = parsed_together([PLAIN.encode(), json.dumps(FILLING).encode()])

    assert [body.value for body in bodies] == [json.loads(PLAIN), FILLING]


@pytest.mark.parametrize(
    "lossy", ['[{"id":12345678.123456789}]', '[{"id":1e-300}]', "[1,2", "\ufeff[]", "[]\0", "[NaN]"]
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_none_is_parsed_if_one_may_lose_digits_or_is_not_plain(lossy, place):
    texts = [PLAIN, json.dumps(FILLING)]
    texts.insert(place, lossy)

    bodies = parsed_together([text.encode() for text in texts])

    assert not any(isinstance(body, ParsedBody) for body in bodies)
    assert [body.read().decode() for body in bodies] == texts


@pytest.mark.parametrize(
    "lossy",
    [
        '[{"id":1,"id":2}]',
        '[{"id":1,"id":1}]',
        '[{"id":1,"\\u0069d":2}]',
        '[{"id" :1,"no":2,"no":3}]',
        '[[[{"":{"a\\"":1,"a\\"":2}}]]]',
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_all_are_parsed_but_those_that_repeat_a_name(lossy, place):
    texts = [PLAIN, json.dumps(FILLING)]
    texts.insert(place, lossy)

    bodies = parsed_together([text.encode() for text in texts])

    assert [isinstance(body, ParsedBody) for body in bodies] == [text != lossy for text in texts]
    assert [body.read().decode() for body in bodies] == texts


@pytest.mark.parametrize("said", ['"id":', "at : noon", "at\t:"])
def test_texts_that_only_look_like_names_are_parsed(said):
    texts = [PLAIN, json.dumps(FILLING), json.dumps([{"said": said}])]

    bodies = parsed_together([text.encode() for text in texts])

    assert [body.value for body in bodies] == list(map(json.loads, texts))
