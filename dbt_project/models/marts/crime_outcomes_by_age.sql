with

ages as (

    select * from {{ ref('int_police__outcome_ages') }}

),

fetched as (

    select
        council,
        month,
        -- a landing's ID begins with the time of its fetch
        left(max(landing_id), 8) as fetched_on,
        sum(crimes)::bigint as crimes,
        max(newest_word) as newest_word

    from ages

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

elapsed as (

    select
        months.*,
        months_elapsed

    from months

    cross join lateral generate_series(0, months.months_known) as months_elapsed

),

cumulated as (

    select
        elapsed.council,
        elapsed.month,
        elapsed.months_elapsed,
        elapsed.crimes,
        elapsed.months_known,
        coalesce(
            sum(ages.settled) over (
                partition by elapsed.council, elapsed.month order by elapsed.months_elapsed
            ), 0
        )::bigint as with_outcome

    from elapsed

    left join ages
        on
            elapsed.council = ages.council
            and elapsed.month = ages.month
            and elapsed.months_elapsed = ages.outcome_age

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
