{{ config(materialized='incremental', unique_key=['council', 'month']) }}

with

crimes as (

    select * from {{ ref('int_police__crimes') }}

),

monthly as (

    select
        council,
        ward_code,
        -- A ward that was renamed within a month is still one ward.
        max(ward_name) as ward_name,
        month,
        category,
        count(*) as crimes,
        count(outcome_category) as with_outcome

    from crimes

    group by council, ward_code, month, category

)

select * from monthly
