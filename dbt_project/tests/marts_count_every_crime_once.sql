-- Both marts add up to the distinct crimes of each council and month. They are compared with the
-- table that they were built from: raw may have been loaded again in the meantime.
{{ config(meta={'per_partition': true}) }}

with

distinct_crimes as (

    select
        council,
        month,
        count(distinct crime_id) as crimes

    from {{ ref('int_police__crimes') }}

    where {{ in_changed_partitions() or 'true' }}

    group by council, month

),

by_ward as (

    select
        council,
        month,
        sum(crimes) as crimes

    from {{ ref('ward_crime_monthly') }}

    where {{ in_changed_partitions() or 'true' }}

    group by council, month

),

by_outcome as (

    select
        council,
        month,
        sum(crimes) as crimes

    from {{ ref('crime_outcomes_monthly') }}

    where {{ in_changed_partitions() or 'true' }}

    group by council, month

)

select
    council,
    month,
    distinct_crimes.crimes as distinct_crimes,
    by_ward.crimes as crimes_by_ward,
    by_outcome.crimes as crimes_by_outcome

from distinct_crimes

full outer join by_ward using (council, month)

full outer join by_outcome using (council, month)

where
    distinct_crimes.crimes is distinct from by_ward.crimes
    or distinct_crimes.crimes is distinct from by_outcome.crimes
