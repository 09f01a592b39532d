with

source as (

    select
        -- from the contract, by `wandle sync`
        "id",
        "seen_on",
        "_extra",
        "_council",
        "_period",
        "_landing_id",
        "_record_no"
        -- to here

    from {{ source('raw', 'zz_rows') }}

),

renamed as (

    select
        -- what
        "id",
        "seen_on",

        -- whose and when
        _council as council,
        _period as day,

        -- where the row comes from
        _landing_id as landing_id,
        _record_no as record_no

    from source

)

select * from renamed
