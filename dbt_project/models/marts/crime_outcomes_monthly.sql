{{ config(materialized='incremental', unique_key=['council', 'month']) }}

with

crimes as (

    select
        council,
        month,
        category,
        coalesce(outcome_category, '{{ no_outcome() }}') as outcome_category,
        {{ months_between('month', 'outcome_month') }} as months_after

    from {{ ref('int_police__crimes') }}

),

monthly as (

    select
        council,
        month,
        category,
        outcome_category,
        count(*) as crimes,
        avg(months_after)::numeric(6, 2) as mean_months_after

    from crimes

    group by council, month, category, outcome_category

)

select * from monthly
