"""A catalogue of all datasets and their files for harvesters: DCAT 3 (W3C) as JSON-LD."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.publish.about import About, Dataset
from include.publish.describe.licences import licences_of
from include.publish.files import File

_CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "spdx": "http://spdx.org/rdf/terms#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_MEDIA_TYPES = "https://www.iana.org/assignments/media-types/"


def catalogue(about: About, files: Mapping[str, Mapping[str, File]]) -> dict[str, Any]:
    """The catalogue; `files` has each dataset's files by format.

    Addresses are relative to the catalogue's own.
    """
    return {
        "@context": _CONTEXT,
        "@id": "",
        "@type": "dcat:Catalog",
        "dct:title": _text("Open data of London boroughs"),
        "dct:description": _text(
            "Figures on crime, rivers, weather and spending for "
            f"{', '.join(about.councils.values())}."
        ),
        "dct:modified": _time(about.as_of.isoformat(timespec="seconds")),
        "dcat:dataset": [
            _dataset(dataset, files[name]) for name, dataset in about.datasets.items()
        ],
    }


def _dataset(dataset: Dataset, files: Mapping[str, File]) -> dict[str, Any]:
    licences = [
        {"@id": one.url} if one.url else {"@type": "dct:LicenseDocument", "dct:title": one.title}
        for one in licences_of(source.licence for source in dataset.sources)
    ]
    publishers = dict.fromkeys(source.publisher for source in dataset.sources)
    return {
        "@id": f"#{dataset.name}",
        "@type": "dcat:Dataset",
        "dct:identifier": dataset.name,
        "dct:title": _text(dataset.title),
        "dct:description": _text(dataset.description),
        "dct:modified": _time(dataset.updated.isoformat(timespec="seconds")),
        **_temporal(dataset.period),
        "dct:license": licences,
        "dct:rights": {"@type": "dct:RightsStatement", "dct:description": dataset.attribution},
        "dct:creator": [{"@type": "foaf:Agent", "foaf:name": name} for name in publishers],
        "dcat:distribution": [
            {
                "@id": f"{dataset.name}/{dataset.name}.{kind}",
                "@type": "dcat:Distribution",
                "dct:title": f"{dataset.title} ({kind})",
                "dct:license": licences,
                "dcat:downloadURL": {"@id": f"{dataset.name}/{dataset.name}.{kind}"},
                "dcat:accessURL": {"@id": f"{dataset.name}/{dataset.name}.{kind}"},
                "dcat:mediaType": {"@id": _MEDIA_TYPES + file.media_type.partition(";")[0]},
                "dcat:byteSize": {"@value": str(file.bytes), "@type": "xsd:nonNegativeInteger"},
                "spdx:checksum": {
                    "@type": "spdx:Checksum",
                    "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"},
                    "spdx:checksumValue": {"@value": file.sha256, "@type": "xsd:hexBinary"},
                },
            }
            for kind, file in files.items()
        ],
    }


def _temporal(period: str) -> dict[str, Any]:
    if not period:
        return {}
    first, last = period.split("/")
    kind = "xsd:gYearMonth" if len(first) == 7 else "xsd:date"
    return {
        "dct:temporal": {
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": {"@value": first, "@type": kind},
            "dcat:endDate": {"@value": last, "@type": kind},
        }
    }


def _text(value: str) -> dict[str, str]:
    return {"@value": value, "@language": "en"}


def _time(value: str) -> dict[str, str]:
    return {"@value": value, "@type": "xsd:dateTime"}
