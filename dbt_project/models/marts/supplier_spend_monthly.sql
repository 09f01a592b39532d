{{ config(materialized='incremental', unique_key=['council', 'month']) }}

with

spend as (

    select * from {{ ref('stg_council__spend') }}

),

monthly as (

    select
        council,
        month,
        supplier_name,
        count(distinct transaction_no) as payments,
        count(*) as payment_lines,
        sum(net_amount)::numeric(14, 2) as net_amount

    from spend

    group by council, month, supplier_name

)

select * from monthly
