"""dbt docs in S3: `docs/<id>/index.html`, and `docs/current.json`, which points to one of them.

A version is written completely before the pointer moves to it, and kept until
there are two newer ones, so readers never see a partial or mixed version.
`docs/lineage.json` is the lineage of the same project.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from include.errors import PipelineError
from include.s3 import object_errors

if TYPE_CHECKING:
    from botocore.client import BaseClient

ROOT = "docs/"
POINTER = f"{ROOT}current.json"
LINEAGE = f"{ROOT}lineage.json"
PAGE = "index.html"
KEPT = 2
# In dbt's page, the address of its own icon is an expression that nothing evaluates. Those of the
# icons in its menus are evaluated by AngularJS after the browser has tried to load them:
# https://docs.angularjs.org/guide/interpolation#-ngattr-for-binding-to-arbitrary-attributes.
_ICON = re.compile(rb'<link rel="shortcut icon" href="\$\{[^"]*"\s*/?>')
_MENU = re.compile(rb' xlink:href="(?=\{\{)')


class NotPublished(PipelineError):
    """No documentation has been published to this bucket yet."""


def publish(s3: BaseClient, bucket: str, page: Path, now: datetime, *, made_from: str = "") -> str:
    """Publish the site, one HTML file, and return its address.

    `made_from` is the state that it describes. Icon addresses that browsers
    cannot load are corrected: each would be an error in the console.

    Raises `ServiceUnavailable` if S3 does not respond, and `PermanentError` if
    it refuses.
    """
    body = _ICON.sub(b'<link rel="icon" href="data:,">', page.read_bytes())
    body = _MENU.sub(b' ng-attr-xlink:href="', body)
    digest = hashlib.sha256(body).hexdigest()
    name = f"{now.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{digest[:10]}"
    key = f"{ROOT}{name}/{PAGE}"
    pointer = {
        "id": name,
        "sha256": digest,
        "published_at": now.isoformat(timespec="seconds"),
        "made_from": made_from,
    }
    with _errors(f"dbt docs: publishing s3://{bucket}/{key}"):
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="text/html; charset=utf-8")
        s3.put_object(
            Bucket=bucket,
            Key=POINTER,
            Body=json.dumps(pointer).encode(),
            ContentType="application/json",
        )
        _tidy(s3, bucket, name)
    return address(bucket, name)


def address(bucket: str, name: str) -> str:
    """The address of a version."""
    return f"s3://{bucket}/{ROOT}{name}/{PAGE}"


def current(s3: BaseClient, bucket: str) -> str:
    """The ID of the current version. Raises `NotPublished`, or as `publish` does."""
    pointer = json.loads(_read(s3, bucket, POINTER))
    return str(pointer["id"])


def up_to_date(s3: BaseClient, bucket: str, state: str) -> str:
    """The address of the current version, if it describes this state; else empty."""
    try:
        pointer = json.loads(_read(s3, bucket, POINTER))
    except NotPublished:
        return ""
    return address(bucket, pointer["id"]) if pointer.get("made_from") == state else ""


def read(s3: BaseClient, bucket: str, name: str) -> bytes:
    """The page of one version. Raises `NotPublished`, or as `publish` does."""
    return _read(s3, bucket, f"{ROOT}{name}/{PAGE}")


def publish_lineage(s3: BaseClient, bucket: str, body: bytes) -> None:
    """Replace the lineage, which is JSON. Raises as `publish` does."""
    with _errors(f"lineage: publishing s3://{bucket}/{LINEAGE}"):
        s3.put_object(Bucket=bucket, Key=LINEAGE, Body=body, ContentType="application/json")


def lineage(s3: BaseClient, bucket: str) -> bytes:
    """The lineage that was published last. Raises `NotPublished`, or as `publish` does."""
    return _read(s3, bucket, LINEAGE)


def _read(s3: BaseClient, bucket: str, key: str) -> bytes:
    with _errors(f"dbt docs: reading s3://{bucket}/{key}"):
        body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def _errors(doing: str) -> AbstractContextManager[None]:
    return object_errors(
        doing,
        NotPublished,
        "does not exist. Run `wandle transform`, or trigger the DAG `transform`.",
    )


def _tidy(s3: BaseClient, bucket: str, newest: str) -> None:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=ROOT)
    keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    versions = {
        key: name for key in keys for name, slash, _ in [key[len(ROOT) :].partition("/")] if slash
    }
    kept = {newest, *sorted({*versions.values()})[-KEPT:]}
    for key, name in versions.items():
        if name not in kept:
            s3.delete_object(Bucket=bucket, Key=key)
