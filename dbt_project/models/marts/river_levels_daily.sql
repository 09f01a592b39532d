{{ config(materialized='incremental', unique_key=['council', 'day']) }}

with

readings as (

    select * from {{ ref('stg_flood__readings') }}

),

stations as (

    -- as they are described by the newest snapshot of each council
    select distinct on (council, station_reference)
        council,
        station_reference,
        label,
        river_name,
        measures,
        stage_scale

    from {{ ref('stg_flood__stations') }}

    order by council asc, station_reference asc, day desc

),

measures as (

    select
        stations.council,
        stations.station_reference,
        stations.label as station_name,
        stations.river_name,
        measure ->> '@id' as measure,
        measure ->> 'qualifier' as qualifier,
        measure ->> 'unitName' as unit_name,
        (stations.stage_scale ->> 'typicalRangeHigh')::numeric as typical_high

    from stations

    cross join lateral jsonb_array_elements(stations.measures) as measure

    where measure ->> 'parameter' = 'level'

),

days as (

    select
        readings.council,
        readings.measure,
        readings.day,
        max(measures.station_name) as station_name,
        max(measures.river_name) as river_name,
        max(measures.qualifier) as qualifier,
        max(measures.unit_name) as unit_name,
        count(readings.value) as readings,
        min(readings.value) as lowest,
        max(readings.value) as highest,
        round(avg(readings.value), 3) as mean,
        max(measures.typical_high) as typical_high

    from readings

    inner join measures using (council, measure)

    group by readings.council, readings.measure, readings.day

)

select
    council,
    measure,
    day,
    station_name,
    river_name,
    qualifier,
    unit_name,
    readings,
    lowest,
    highest,
    mean,
    typical_high,
    coalesce(qualifier = 'Stage' and highest > typical_high, false) as is_above_typical

from days
