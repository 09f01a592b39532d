{{ config(enabled=false) }}

with

source as (

    select
        -- from the contract, by `wandle sync`
        "station_reference",
        "measure",
        "date_time",
        "value",
        "reading_uri",
        "reading_date",
        "station_uri",
        "label",
        "parameter",
        "qualifier",
        "datum_type",
        "period_seconds",
        "unit_name",
        "value_type",
        "_extra",
        "_council",
        "_period",
        "_landing_id",
        "_record_no"
        -- to here

    from {{ source('raw', 'flood_readings_uk') }}

),

renamed as (

    select
        -- what
        station_reference,
        measure,
        date_time,
        value,
        reading_uri,
        reading_date,
        station_uri,
        label,
        parameter,
        qualifier,
        datum_type,
        period_seconds,
        unit_name,
        value_type,

        -- whose and when
        _council as council,
        _period as day,

        -- where the row comes from
        _landing_id as landing_id,
        _record_no as record_no

    from source

)

select * from renamed
