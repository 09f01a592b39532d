with

source as (

    select
        -- from the contract, by `wandle sync`
        "ward_code",
        "ward_name",
        "point_no",
        "latitude",
        "longitude",
        "_extra",
        "_council",
        "_period",
        "_landing_id",
        "_record_no"
        -- to here

    from {{ source('raw', 'police_ward_boundaries') }}

),

renamed as (

    select
        -- ids
        point_no,

        -- places
        _council as council,
        ward_code,
        ward_name,
        latitude,
        longitude,

        -- when
        _period as month,

        -- where the row comes from
        _landing_id as landing_id,
        _record_no as record_no

    from source

)

select * from renamed
