with

source as (

    select
        -- from the contract, by `wandle sync`
        "entity",
        "reference",
        "organisation_entity",
        "application_type",
        "description",
        "address",
        "start_date",
        "decision_date",
        "decision",
        "entry_date",
        "geometry",
        "_extra",
        "_council",
        "_period",
        "_landing_id",
        "_record_no"
        -- to here

    from {{ source('raw', 'planning_applications') }}

),

renamed as (

    select
        -- what
        "entity",
        "reference",
        "organisation_entity",
        "application_type",
        "description",
        "address",
        "start_date",
        "decision_date",
        "decision",
        "entry_date",
        "geometry",

        -- whose and when
        _council as council,
        _period as month,

        -- where the row comes from
        _landing_id as landing_id,
        _record_no as record_no

    from source

)

select * from renamed
