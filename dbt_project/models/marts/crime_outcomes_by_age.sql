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

fetched as (

    select
        council,
        month,
        -- a landing's ID begins with the time of its fetch
        left(max(landing_id), 8) as fetched_on,
        count(*) as crimes,
        max(newest_word) as newest_word

    from crimes

    group by council, month

),

-- What the police had published when a month was fetched: nothing is known of the time after the
-- newest word, settled or not, about any month of the council that was fetched by then.
published as (

    select
        council,
        month,
        crimes,
        max(newest_word) over (partition by council order by fetched_on) as known_until

    from fetched

),

months as (

    select
        council,
        month,
        crimes,
        {{ months_between('month', 'known_until') }}::integer as months_known

    from published

),

outcomes as (

    select
        council,
        month,
        outcome_age as months_elapsed,
        count(*) as outcomes

    from crimes

    where
        is_settled
        and outcome_age is not null

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
