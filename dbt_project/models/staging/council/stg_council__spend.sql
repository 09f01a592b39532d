with

source as (

    select
        -- from the contract, by `wandle sync`
        "line_no",
        "body_name",
        "directorate",
        "expense_type",
        "supplier_name",
        "payment_date",
        "transaction_no",
        "net_amount",
        "_extra",
        "_council",
        "_period",
        "_landing_id",
        "_record_no"
        -- to here

    from {{ source('raw', 'council_spend') }}

),

renamed as (

    select
        -- what
        line_no,
        body_name,
        directorate,
        expense_type,
        supplier_name,
        payment_date,
        transaction_no,
        net_amount,

        -- whose and when
        _council as council,
        _period as month,

        -- where the row comes from
        _landing_id as landing_id,
        _record_no as record_no

    from source

)

select * from renamed
