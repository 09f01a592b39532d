"""An invalid variable fails the plan with an error that explains how to fix it."""

from __future__ import annotations

import re

import pytest

MISTAKES = {
    "an invalid CIDR block": (
        {"vpc_cidr": "10.20.0.0/33"},
        "cidr must be a private IPv4 CIDR block, such as 10.20.0.0/16.",
    ),
    "an unknown instance type": (
        {"host_instance_type": "t4g.gigantic"},
        "instance_type must be an EC2 instance type of size large or above",
    ),
    "an unknown instance class of the database": (
        {"database_instance_class": "db.huge"},
        "instance_class must be a Graviton instance class",
    ),
    "no email address": (
        {"alert_email": ""},
        "alert_email must be an email address. It receives alarms and budget alerts.",
    ),
    "an image tag": (
        {"image_digest": "latest"},
        "image_digest must be sha256: followed by 64 hexadecimal digits",
    ),
    "a source without a contract": (
        {"serverless_sources": ["weather"]},
        "serverless_sources must contain only sources that have a contract in include/sources.",
    ),
    "access from anywhere": (
        {
            "public": {
                "hostname": "x",
                "certificate_arn": "arn:aws:acm:eu-west-2:123456789012:certificate/1",
                "allowed_cidrs": ["0.0.0.0/0"],
            }
        },
        "public.allowed_cidrs must contain at least one IPv4 CIDR block, and not 0.0.0.0/0.",
    ),
    "a login over plain HTTP": (
        {"login": {"issuer": "http://x", "client_id": "x", "admins": "x"}},
        "login.issuer must be the https:// URL",
    ),
    "a certificate that CloudFront does not take": (
        {
            "website": {
                "domain": {
                    "hostname": "data.example.gov.uk",
                    "certificate_arn": "arn:aws:acm:eu-west-2:123456789012:certificate/1",
                }
            }
        },
        "domain.certificate_arn must be the ARN of an ACM certificate in us-east-1",
    ),
    "half a worker": ({"workers": 1.5}, "workers must be a whole number between 0 and 20."),
}


@pytest.fixture(scope="module")
def errors(roots):
    """The errors of two plans with all the mistakes, without line breaks."""
    everything = {name: value for given, _ in MISTAKES.values() for name, value in given.items()}
    # A module whose inputs are invalid hides the errors of the modules that it calls.
    own = {"image_digest", "serverless_sources", "login"}
    of_environment = roots["dev"].refused(**{name: everything[name] for name in own})
    of_modules = roots["dev"].refused(
        **{name: value for name, value in everything.items() if name not in own}
    )
    return re.sub(r"[\s│╷╵]+", " ", of_environment + of_modules)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_invalid_variable_fails_the_plan_with_an_explanation(errors, mistake):
    assert MISTAKES[mistake][1] in errors
