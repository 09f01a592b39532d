with

source as (

    select * from {{ source('raw', 'police_ward_boundaries') }}

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
