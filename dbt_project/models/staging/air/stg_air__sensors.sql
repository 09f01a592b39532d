with

source as (

    select
        -- from the contract, by `wandle sync`
        "site_code",
        "site_name",
        "latitude",
        "longitude",
        "classification",
        "height_m",
        "distance_to_kerb_m",
        "started_at",
        "ended_at",
        "_extra",
        "_council",
        "_period",
        "_landing_id",
        "_record_no"
        -- to here

    from {{ source('raw', 'air_sensors') }}

),

renamed as (

    select
        -- what
        "site_code",
        "site_name",
        "latitude",
        "longitude",
        "classification",
        "height_m",
        "distance_to_kerb_m",
        "started_at",
        "ended_at",

        -- whose and when
        _council as council,
        _period as month,

        -- where the row comes from
        _landing_id as landing_id,
        _record_no as record_no

    from source

)

select * from renamed
