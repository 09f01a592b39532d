with

source as (

    select
        -- from the contract, by `wandle sync`
        "ward_code",
        "ward_name",
        "id",
        "persistent_id",
        "category",
        "month",
        "location_type",
        "location_subtype",
        "context",
        "latitude",
        "longitude",
        "street_id",
        "street_name",
        "outcome_category",
        "outcome_month",
        "_extra",
        "_council",
        "_period",
        "_landing_id",
        "_record_no"
        -- to here

    from {{ source('raw', 'police_street_crime') }}

),

renamed as (

    select
        -- ids
        id as crime_id,
        nullif(persistent_id, '') as persistent_id,
        street_id,

        -- places
        _council as council,
        ward_code,
        ward_name,
        street_name,
        latitude,
        longitude,

        -- what and when
        category,
        _period as month,
        {{ first_day_of('month') }} as recorded_month,
        outcome_category,
        {{ first_day_of('outcome_month') }} as outcome_month,

        -- where the row comes from
        _landing_id as landing_id,
        _record_no as record_no

    from source

)

select * from renamed
