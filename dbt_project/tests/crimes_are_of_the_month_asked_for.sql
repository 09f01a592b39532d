-- A crime is counted in the month that it was asked for. One that states another month is news.
{{ config(severity='warn', meta={'per_partition': true}) }}

select
    council,
    month,
    crime_id,
    recorded_month

from {{ ref('stg_police__street_crime') }}

where
    recorded_month is distinct from month
    and {{ in_changed_partitions() or 'true' }}
