-- A month of a council has each of its crimes once in `int_police__crimes`, and no other. A month
-- that was loaded again since the table was built has another landing: the next run tests it.
{{ config(meta={'per_partition': true}) }}

with

staged as (

    select
        council,
        month,
        max(landing_id) as landing_id,
        count(distinct crime_id) as crimes

    from {{ ref('stg_police__street_crime') }}

    where {{ in_changed_partitions() or 'true' }}

    group by council, month

),

counted as (

    select
        council,
        month,
        max(landing_id) as landing_id,
        count(*) as crimes

    from {{ ref('int_police__crimes') }}

    where {{ in_changed_partitions() or 'true' }}

    group by council, month

)

select
    council,
    month,
    staged.crimes as crimes_loaded,
    counted.crimes as crimes_counted

from staged

full outer join counted using (council, month)

where
    staged.crimes is distinct from counted.crimes
    and coalesce(staged.landing_id = counted.landing_id, true)
