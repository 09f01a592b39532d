"""OpenLineage events: what a run of a job read and wrote, and which columns of it from which.

They name sources, tables, columns, councils and periods, and hold counts; no value of a record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

from openlineage.client.event_v2 import (
    InputDataset,
    Job,
    OutputDataset,
    Run,
    RunEvent,
    RunState,
)
from openlineage.client.facet_v2 import (
    column_lineage_dataset,
    dataset_version_dataset,
    error_message_run,
    nominal_time_run,
    parent_run,
    schema_dataset,
    tags_run,
)
from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

from include.lineage.graph import ROWS, Column, How

# As OpenLineage says how a column depends on another, and whether its values are hidden.
_TRANSFORMATIONS: Mapping[How, tuple[str, str]] = {
    "copied": ("DIRECT", "IDENTITY"),
    "pseudonymised": ("DIRECT", "TRANSFORMATION"),
    "calculated": ("DIRECT", "TRANSFORMATION"),
    "aggregated": ("DIRECT", "AGGREGATION"),
    "filter": ("INDIRECT", "FILTER"),
    "join": ("INDIRECT", "JOIN"),
    "group": ("INDIRECT", "GROUP_BY"),
    "order": ("INDIRECT", "SORT"),
}


@dataclass(frozen=True)
class Places:
    """Where tables are, as OpenLineage names datasets.

    `warehouse` is its namespace, such as `postgres://host:5432`, `database` its
    name; `bucket` that of landings and published files. `sources` maps each source to
    its namespace, such as `https://data.police.uk`.
    """

    bucket: str
    warehouse: str = ""
    database: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)

    def of(self, table: str) -> tuple[str, str]:
        """The namespace and name of a table such as `marts.dim_date`."""
        kind, _, name = table.partition(".")
        if kind in ("landing", "published"):
            return f"s3://{self.bucket}", f"{kind}/{name}"
        if kind == "source":
            return self.sources[name], name
        return self.warehouse, f"{self.database}.{table}"


@dataclass(frozen=True)
class Output:
    """A table that was written: its columns with their types, and what they are made of."""

    table: str
    columns: Mapping[str, str] = field(default_factory=dict)
    made_of: Mapping[str, Mapping[Column, How]] = field(default_factory=dict)
    rows: int | None = None
    version: str = ""


@dataclass
class JobRun:
    """One run of a job. `outputs` and `tags` may grow until it ends.

    `within` is the job and the ID of the run that started it, in Airflow or on the
    command line; `period` the first moment of the data, and the one after the last.
    """

    job: str
    namespace: str
    producer: str
    places: Places
    inputs: list[str]
    outputs: list[Output]
    tags: dict[str, str] = field(default_factory=dict)
    within: tuple[str, str] | None = None
    period: tuple[datetime, datetime] | None = None
    run_id: UUID = field(default_factory=uuid4)

    def event(self, state: RunState, at: datetime | None = None, error: str = "") -> RunEvent:
        """An event of this run. `error` is the name of what failed it, without a message."""
        return RunEvent(
            eventType=state,
            eventTime=_time(at or datetime.now(UTC)),
            run=Run(str(self.run_id), facets=self._run_facets(error)),
            job=Job(self.namespace, self.job),
            inputs=[InputDataset(*self.places.of(table)) for table in self.inputs],
            outputs=[self._output(output) for output in self.outputs],
            producer=self.producer,
        )

    def _run_facets(self, error: str) -> dict[str, Any]:
        facets: dict[str, Any] = {}
        if self.tags:
            tags = [tags_run.TagsRunFacetFields(*tag, "wandle") for tag in self.tags.items()]
            facets["tags"] = tags_run.TagsRunFacet(tags, producer=self.producer)
        if self.period:
            times = map(_time, self.period)
            facets["nominalTime"] = nominal_time_run.NominalTimeRunFacet(
                *times, producer=self.producer
            )
        if self.within:
            job, run_id = self.within
            # The same for all jobs of a run, and for all who know its ID.
            whole = uuid5(UUID(int=0), f"{self.namespace}/{job}/{run_id}")
            facets["parent"] = parent_run.ParentRunFacet(
                parent_run.Run(str(whole)),
                parent_run.Job(self.namespace, job),
                producer=self.producer,
            )
        if error:
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
                error, "python", producer=self.producer
            )
        return facets

    def _output(self, output: Output) -> OutputDataset:
        facets: dict[str, Any] = {}
        if output.columns:
            fields = [
                schema_dataset.SchemaDatasetFacetFields(name, kind or None)
                for name, kind in output.columns.items()
            ]
            facets["schema"] = schema_dataset.SchemaDatasetFacet(fields, producer=self.producer)
        if output.made_of:
            facets["columnLineage"] = self._column_lineage(output)
        if output.version:
            facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(
                output.version, producer=self.producer
            )
        counted: dict[str, Any] = {}
        if output.rows is not None:
            counted["outputStatistics"] = statistics.OutputStatisticsOutputDatasetFacet(
                rowCount=output.rows, producer=self.producer
            )
        return OutputDataset(*self.places.of(output.table), facets=facets, outputFacets=counted)

    def _column_lineage(self, output: Output) -> column_lineage_dataset.ColumnLineageDatasetFacet:
        fields = {
            name: column_lineage_dataset.Fields(self._inputs(sources))
            for name, sources in output.made_of.items()
            if name != ROWS
        }
        return column_lineage_dataset.ColumnLineageDatasetFacet(
            {name: made for name, made in fields.items() if made.inputFields},
            self._inputs(output.made_of.get(ROWS, {})),
            producer=self.producer,
        )

    def _inputs(self, sources: Mapping[Column, How]) -> list[column_lineage_dataset.InputField]:
        return [
            column_lineage_dataset.InputField(
                *self.places.of(column.table),
                column.name,
                [
                    column_lineage_dataset.Transformation(
                        *_TRANSFORMATIONS[how], masking=how == "pseudonymised"
                    )
                ],
            )
            for column, how in sources.items()
            if column.name != ROWS and how in _TRANSFORMATIONS
        ]


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
