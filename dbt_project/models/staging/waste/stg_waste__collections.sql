with

source as (

    select
        -- from the contract, by `wandle sync`
        "collection_id",
        "date",
        "round",
        "stream",
        "households",
        "missed",
        "tonnes",
        "completed_at",
        "vehicle_is_electric",
        "_extra",
        "_council",
        "_period",
        "_landing_id",
        "_record_no"
        -- to here

    from {{ source('raw', 'waste_collections') }}

),

renamed as (

    select
        -- what
        "collection_id",
        "date",
        "round",
        "stream",
        "households",
        "missed",
        "tonnes",
        "completed_at",
        "vehicle_is_electric",

        -- whose and when
        _council as council,
        _period as month,

        -- where the row comes from
        _landing_id as landing_id,
        _record_no as record_no

    from source

)

select * from renamed
