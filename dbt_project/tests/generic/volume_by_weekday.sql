{#- Warns of each day whose volume is less than half or more than twice what is usual: the median of
    the same weekday in the eight weeks before, if at least four of them are there. Bank holidays are
    neither judged nor usual. The newest two weeks of each council are judged, from the newest day
    on that is `settled_after` days old; a day without any row counts 0.

    day: the column with the day.
    measure: an aggregate, the volume of a day. -#}
{% test volume_by_weekday(model, day='day', measure='count(*)', settled_after=0) %}

{{ config(severity='warn', meta={'counts_only': true}) }}

with

newest as (

    select
        council,
        max({{ adapter.quote(day) }}) - {{ settled_after }} as newest_day

    from {{ model }}

    group by council

),

volumes as (

    select
        council,
        {{ adapter.quote(day) }} as day,
        {{ measure }} as volume

    from {{ model }}

    group by council, {{ adapter.quote(day) }}

),

-- From the first day on that the council has: before it, nothing is missing.
days as (

    select
        newest.council,
        newest.newest_day,
        newest.newest_day - days_before as day,
        coalesce(volumes.volume, 0) as volume

    from newest

    cross join generate_series(0, 70) as days_before

    left join {{ ref('dim_date') }} as calendar
        on newest.newest_day - days_before = calendar.day

    left join volumes on
        newest.council = volumes.council
        and newest.newest_day - days_before = volumes.day

    where calendar.is_bank_holiday is not true
        and newest.newest_day - days_before >= (
            select min(first.day) from volumes as first where first.council = newest.council
        )

),

compared as (

    select
        days.council,
        days.day,
        days.volume,
        trim_scale(
            percentile_cont(0.5) within group (order by earlier.volume)::numeric
        ) as usual,
        count(*) as like_days

    from days

    inner join days as earlier on
        days.council = earlier.council
        and earlier.day between days.day - 56 and days.day - 1
        and extract(isodow from days.day) = extract(isodow from earlier.day)

    where days.day > days.newest_day - 14

    group by days.council, days.day, days.volume

)

select
    council,
    day,
    trim(to_char(day, 'Day')) as weekday,
    volume,
    usual,
    like_days

from compared

where
    like_days >= 4
    and (volume < 0.5 * usual or volume > 2 * usual)

{% endtest %}
