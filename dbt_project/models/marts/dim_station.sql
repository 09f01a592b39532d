with

descriptions as (

    select
        council,
        day,
        station_reference,
        label as station_name,
        river_name,
        catchment_name,
        town,
        -- http://environment.data.gov.uk/flood-monitoring/def/core/statusActive
        lower(regexp_replace(status, '^.*/status', '')) as status,
        latitude,
        longitude,
        opened_on,
        (stage_scale ->> 'typicalRangeLow')::numeric as typical_low,
        (stage_scale ->> 'typicalRangeHigh')::numeric as typical_high,
        (stage_scale -> 'maxOnRecord' ->> 'value')::numeric as highest_recorded,
        station_uri,
        -- all that distinguishes a version
        row(
            label, river_name, catchment_name, town, status, latitude, longitude, opened_on,
            stage_scale ->> 'typicalRangeLow', stage_scale ->> 'typicalRangeHigh',
            stage_scale -> 'maxOnRecord' ->> 'value', station_uri
        )::text as state

    from {{ ref('stg_flood__stations') }}

),

snapshots as (

    select
        council,
        day,
        row_number() over of_council as snapshot_no,
        lead(day) over of_council as next_day

    from (select distinct
        council,
        day
    from descriptions) as council_days

    window of_council as (partition by council order by day)

),

described as (

    select
        descriptions.*,
        snapshots.snapshot_no,
        snapshots.next_day

    from descriptions

    inner join snapshots using (council, day)

),

changes as (

    select
        *,
        -- the first snapshot of a version: a different state, or back after it was missing from one
        (
            lag(state) over station_days is distinct from state
            or lag(snapshot_no) over station_days is distinct from snapshot_no - 1
        )::integer as is_change

    from described

    window station_days as (partition by council, station_reference order by day)

),

versions as (

    select
        *,
        sum(is_change) over (partition by council, station_reference order by day) as version_no

    from changes

),

final as (

    select
        council,
        station_reference,
        min(day) as valid_from,
        -- null for a version that is in the newest snapshot, which has no next day
        nullif(max(coalesce(next_day, 'infinity')), 'infinity') as valid_to,
        bool_or(next_day is null) as is_current,
        station_name,
        river_name,
        catchment_name,
        town,
        status,
        latitude,
        longitude,
        opened_on,
        typical_low,
        typical_high,
        highest_recorded,
        station_uri

    from versions

    group by
        council,
        station_reference,
        version_no,
        station_name,
        river_name,
        catchment_name,
        town,
        status,
        latitude,
        longitude,
        opened_on,
        typical_low,
        typical_high,
        highest_recorded,
        station_uri

)

select * from final
