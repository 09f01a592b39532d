{{ config(materialized='incremental', unique_key=['council', 'month']) }}

with

crimes as (

    select
        council,
        month,
        landing_id,
        {{ is_settled('outcome_category') }} as is_settled,
        case
            when outcome_month is not null
                -- An outcome that is dated before its crime was there from the start.
                then greatest({{ months_between('month', 'outcome_month') }}, 0)::integer
        end as outcome_age,
        greatest(month, outcome_month) as newest_word

    from {{ ref('int_police__crimes') }}

    where category <> '{{ never_has_an_outcome() }}'

),

counted as (

    select
        council,
        month,
        outcome_age,
        count(*) as crimes,
        count(outcome_age) filter (where is_settled) as settled,
        max(newest_word) as newest_word,
        max(landing_id) as landing_id

    from crimes

    group by council, month, outcome_age

)

select * from counted
