with

source as (

    select
        -- from the contract, by `wandle sync`
        "station_reference",
        "station_uri",
        "notation",
        "label",
        "status",
        "river_name",
        "catchment_name",
        "town",
        "latitude",
        "longitude",
        "easting",
        "northing",
        "grid_reference",
        "opened_on",
        "rloi_id",
        "wiski_id",
        "datum_offset",
        "measures",
        "stage_scale",
        "downstage_scale",
        "_extra",
        "_council",
        "_period",
        "_landing_id",
        "_record_no"
        -- to here

    from {{ source('raw', 'flood_stations') }}

),

renamed as (

    select
        -- what
        station_reference,
        station_uri,
        notation,
        label,
        status,
        river_name,
        catchment_name,
        town,
        latitude,
        longitude,
        easting,
        northing,
        grid_reference,
        opened_on,
        rloi_id,
        wiski_id,
        datum_offset,
        measures,
        stage_scale,
        downstage_scale,

        -- whose and when
        _council as council,
        _period as day,

        -- where the row comes from
        _landing_id as landing_id,
        _record_no as record_no

    from source

)

select * from renamed
