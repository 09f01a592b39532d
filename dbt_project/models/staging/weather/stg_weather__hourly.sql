with

source as (

    select
        -- from the contract, by `wandle sync`
        "point_name",
        "latitude",
        "longitude",
        "time",
        "temperature_2m",
        "relative_humidity_2m",
        "precipitation",
        "wind_speed_10m",
        "wind_direction_10m",
        "cloud_cover",
        "_extra",
        "_council",
        "_period",
        "_landing_id",
        "_record_no"
        -- to here

    from {{ source('raw', 'weather_hourly') }}

),

renamed as (

    select
        -- what
        point_name,
        latitude,
        longitude,
        time,
        temperature_2m,
        relative_humidity_2m,
        precipitation,
        wind_speed_10m,
        wind_direction_10m,
        cloud_cover,

        -- whose and when
        _council as council,
        _period as day,

        -- where the row comes from
        _landing_id as landing_id,
        _record_no as record_no

    from source

)

select * from renamed
