{{ config(
    materialized='incremental',
    unique_key=['council', 'month'],
    indexes=[{'columns': ['council', 'month']}]
) }}

with

crimes as (

    select * from {{ ref('stg_police__street_crime') }}

),

-- A point on a shared edge comes back for both wards: the lowest ward code keeps the crime.
once_in_its_council as (

    select distinct on (council, month, crime_id) *

    from crimes

    order by council, month, crime_id, ward_code, landing_id, record_no

),

final as (

    select
        council,
        month,
        crime_id,
        persistent_id,
        ward_code,
        ward_name,
        category,
        latitude,
        longitude,
        street_id,
        street_name,
        outcome_category,
        outcome_month,
        landing_id,
        record_no

    from once_in_its_council

)

select * from final
