with

source as (

    select
        -- from the contract, by `wandle sync`
        "division",
        "date",
        "title",
        "notes",
        "bunting",
        "_extra",
        "_council",
        "_period",
        "_landing_id",
        "_record_no"
        -- to here

    from {{ source('raw', 'bank_holidays') }}

),

renamed as (

    select
        -- what
        division,
        date,
        title,
        notes,
        bunting,

        -- whose and when
        _council as council,
        _period as month,

        -- where the row comes from
        _landing_id as landing_id,
        _record_no as record_no

    from source

)

select * from renamed
