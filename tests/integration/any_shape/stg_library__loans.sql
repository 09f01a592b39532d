with

source as (

    select
        -- from the contract, by `wandle sync`
        -- to here

    from {{ source('raw', 'library_loans') }}

),

renamed as (

    select
        -- what
        loan_no,
        branch,
        lent_at,
        due_on,
        renewals,
        fee_pounds,
        is_overdue,
        case jsonb_typeof(items)
            when 'array' then items
            when 'object' then jsonb_build_array(items)
            else '[]'::jsonb
        end as items,

        -- whose and when
        _council as council,
        _period as day,

        -- where the row comes from
        _landing_id as landing_id,
        _record_no as record_no

    from source

)

select * from renamed
