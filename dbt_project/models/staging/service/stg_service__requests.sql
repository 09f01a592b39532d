with

source as (

    select
        -- from the contract, by `wandle sync`
        "case_id",
        "kind",
        "ward_code",
        "status",
        "opened_at",
        "updated_at",
        "closed_at",
        "resident_name",
        "email",
        "_extra",
        "_council",
        "_period",
        "_landing_id",
        "_record_no"
        -- to here

    from {{ source('raw', 'service_requests') }}

),

renamed as (

    select
        -- what
        case_id,
        kind,
        ward_code,
        status,
        opened_at,
        updated_at,
        closed_at,
        resident_name,
        email,

        -- whose and when
        _council as council,
        _period as day,

        -- where the row comes from
        _landing_id as landing_id,
        _record_no as record_no

    from source

)

select * from renamed
