"""A mistake in a variable is refused at plan, with a sentence that says what to do."""

from __future__ import annotations

import re

import pytest

MISTAKES = {
    "a bad address range": (
        {"vpc_cidr": "10.20.0.0/33"},
        "cidr must be a private IPv4 range such as 10.20.0.0/16.",
    ),
    "an unknown size of the host": (
        {"host_instance_type": "t4g.gigantic"},
        "instance_type must be a size that holds the stack",
    ),
    "an unknown size of the database": (
        {"database_instance_class": "db.huge"},
        "instance_class must be a Graviton class",
    ),
    "no e-mail": (
        {"alert_email": ""},
        "alert_email must be an e-mail address: alarms and the budget are sent there.",
    ),
    "an image by tag": (
        {"image_digest": "latest"},
        "image_digest must be sha256: and 64 hexadecimal digits",
    ),
    "a source without a contract": (
        {"serverless_sources": ["weather"]},
        "serverless_sources names a source that has no contract in include/sources.",
    ),
    "a door open to the world": (
        {
            "public": {
                "hostname": "x",
                "certificate_arn": "arn:aws:acm:eu-west-2:123456789012:certificate/1",
                "allowed_cidrs": ["0.0.0.0/0"],
            }
        },
        "public.allowed_cidrs must name the council's own address ranges, not 0.0.0.0/0.",
    ),
    "a login over plain HTTP": (
        {"login": {"issuer": "http://x", "client_id": "x", "admins": "x"}},
        "login.issuer must be the https:// address",
    ),
    "half a worker": ({"workers": 1.5}, "workers must be a whole number from 0 to 20."),
}


@pytest.fixture(scope="module")
def sentences(roots):
    """What Terraform says to all of them at once, without its line breaks."""
    everything = {name: value for given, _ in MISTAKES.values() for name, value in given.items()}
    # Terraform looks at a module's variables only once the root's own are right.
    own = {"alert_email", "image_digest", "serverless_sources", "login"}
    of_root = roots["dev"].refused(**{name: everything[name] for name in own})
    of_modules = roots["dev"].refused(
        **{name: value for name, value in everything.items() if name not in own}
    )
    return re.sub(r"[\s│╷╵]+", " ", of_root + of_modules)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_a_sentence(sentences, mistake):
    assert MISTAKES[mistake][1] in sentences
