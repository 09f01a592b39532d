with

crimes as (

    select
        council,
        month,
        case
            when outcome_month is not null
                -- An outcome that is dated before its crime was there from the start.
                then greatest({{ months_between('month', 'outcome_month') }}, 0)::integer
        end as outcome_age

    from {{ ref('int_police__crimes') }}

    where category <> '{{ never_has_an_outcome() }}'

),

months as (

    select
        council,
        month,
        count(*) as crimes,
        -- Nothing is known of the time after the newest outcome: it may not be published yet.
        coalesce(max(outcome_age), 0) as months_known

    from crimes

    group by council, month

),

outcomes as (

    select
        council,
        month,
        outcome_age as months_elapsed,
        count(*) as outcomes

    from crimes

    where outcome_age is not null

    group by council, month, outcome_age

),

ages as (

    select
        months.*,
        months_elapsed

    from months

    cross join lateral generate_series(0, months.months_known) as months_elapsed

),

cumulated as (

    select
        council,
        month,
        months_elapsed,
        ages.crimes,
        ages.months_known,
        coalesce(
            sum(outcomes.outcomes) over (partition by council, month order by months_elapsed), 0
        )::bigint as with_outcome

    from ages

    left join outcomes using (council, month, months_elapsed)

),

final as (

    select
        council,
        month,
        months_elapsed,
        crimes,
        with_outcome,
        (with_outcome::numeric / crimes)::numeric(5, 4) as share_with_outcome,
        months_known,
        months_known >= {{ months_to_mature() }} as is_mature

    from cumulated

)

select * from final
