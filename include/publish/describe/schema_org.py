"""All datasets for search engines: schema.org as JSON-LD, a data block of a page."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from include.publish.about import MEDIA_TYPES, About, Dataset
from include.publish.describe.licences import licences_of


def linked_data(about: About) -> Markup:
    """The text of a `script` element. Addresses are relative to the site's root."""
    described = {
        "@context": "https://schema.org",
        "@type": "DataCatalog",
        "name": "Open data",
        "dateModified": _utc(about.as_of),
        "dataset": [_dataset(dataset) for _, dataset in sorted(about.datasets.items())],
    }
    text = json.dumps(described, ensure_ascii=True, indent=1)
    # Nothing in it can end the element.
    safe = text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")
    return Markup(safe)  # noqa: S704 - escaped above


def _dataset(dataset: Dataset) -> dict[str, Any]:
    licences = licences_of(source.licence for source in dataset.sources)
    return {
        "@type": "Dataset",
        "identifier": dataset.name,
        "name": dataset.title,
        "description": dataset.description,
        "license": [one.url or one.title for one in licences] or dataset.licence,
        "creditText": dataset.attribution,
        "creator": [
            {"@type": "Organization", "name": name}
            for name in dict.fromkeys(source.publisher for source in dataset.sources)
        ],
        "dateModified": _utc(dataset.updated),
        **({"temporalCoverage": dataset.period} if dataset.period else {}),
        "isAccessibleForFree": True,
        "variableMeasured": [column.name for column in dataset.columns],
        "isBasedOn": [source.title for source in dataset.sources],
        "distribution": [
            {
                "@type": "DataDownload",
                "encodingFormat": media_type.partition(";")[0],
                "contentUrl": getattr(dataset, kind),
            }
            for kind, media_type in MEDIA_TYPES.items()
            if getattr(dataset, kind)
        ],
    }


def _utc(value: datetime) -> str:
    moment = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return moment.isoformat()
