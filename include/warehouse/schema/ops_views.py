"""The views and comments of `ops`: what roles may see that may not read the tables."""

from __future__ import annotations

VIEWS = """
create or replace view ops.quarantine_overview as
select source, council, period, landing_id, record_no, page, page_record_no, column_name, rule,
    found_at, responsible
from ops.quarantine;
comment on view ops.quarantine_overview is
    'Quarantine without values and records, which may be personal.';
create or replace view ops.quarantine_samples as
with personal as (
    select source, contract_hash, recorded_at, array(
        select coalesce(item ->> 'path', item ->> 'name')
        from jsonb_array_elements(content::jsonb -> 'columns') as item
        where coalesce(item ->> 'personal', 'no') <> 'no'
    ) as columns
    from ops.contract
), newest as (
    select distinct on (source) source, columns from personal
    order by source, recorded_at desc, contract_hash
)
select q.source, q.council, q.period, q.landing_id, q.record_no, q.page, q.page_record_no,
    q.column_name, q.rule, q.found_at, q.responsible,
    case when used.columns @> newest.columns then q.value else '(withheld)' end as value,
    case when used.columns @> newest.columns then q.record else '(withheld)' end as record
from ops.quarantine as q
left join newest on newest.source = q.source
left join lateral (
    select contract_hash from ops.load
    where load.source = q.source and load.council = q.council and load.period = q.period
        and load.landing_id = q.landing_id and load.status in ('loaded', 'unchanged')
    order by load_id desc limit 1
) as load on true
left join personal as used
    on used.source = q.source and used.contract_hash = load.contract_hash;
comment on view ops.quarantine_samples is
    'Quarantined records as they were stored: without the values of columns that the contract of '
    'their load calls personal. Withheld, if the newest contract calls more columns personal.';
create or replace view ops.drift_overview as
select source, field, first_seen, landing_id, type, way from ops.schema_drift;
comment on view ops.drift_overview is
    'Unknown fields without samples of their values, which may be personal.';
create or replace view ops.removed_partitions as
select distinct source, council, period from ops.removal
where reason = 'removed' and period is not null;
comment on view ops.removed_partitions is 'What people removed, without who was erased.';
comment on table ops.load is
    'The ledger: one row per attempt to load a landing, and per failed extract.';
comment on column ops.load.period is 'When the period begins, in UTC.';
comment on table ops.migration is 'What `wandle migrate` changed, and when.';
comment on column ops.quarantine.record_bytes is
    'The bytes of `record`, if they are not UTF-8 text; `record` then has escapes.';
comment on table ops.contract is
    'Each version of a contract, so that data stay readable when its file is gone.';
comment on table ops.removal is
    'Landings that are no longer in S3, why and by whom, with what was loaded of them. Without a '
    'period: a dataset or council with its definitions. Who was erased only as a keyed hash.';
comment on table ops.dbt_state is
    'What each dbt model and test was last built from or passed with; `loads` names a row of '
    'dbt_loads by source. Without a fingerprint, the next run builds it whole.';
comment on table ops.dbt_loads is
    'Sets of loads of one source, by council and period: the load_id in ops.load.';
comment on function ops.relation_state is
    'Changes when a table is rebuilt or truncated, or a view created again.';
comment on table ops.alert is
    'What is wrong with a source at a partition, council or field, until it is over.';
comment on column ops.alert.cause is 'What alerts of one message have in common.';
comment on table ops.alert_message is
    'One row per message and channel; without `sent_at`, it was not accepted yet.';
comment on table ops.rate_limit is
    'When the next request to an API may be sent (GCRA, microseconds since 1970), by host.';
"""
