{#- Warns of each month whose volume is less than half or more than twice what is usual: the median
    of the same month of other years. The newest three months of each council are judged; a month
    without any row counts 0.

    month: the column with the first day of the month.
    measure: an aggregate, the volume of a month. -#}
{% test volume_by_month(model, month='month', measure='count(*)') %}

{{ config(severity='warn', meta={'counts_only': true}) }}

with

volumes as (

    select
        council,
        {{ adapter.quote(month) }} as month,
        {{ measure }} as volume

    from {{ model }}

    group by council, {{ adapter.quote(month) }}

),

judged as (

    select
        newest.council,
        (newest.newest_month - make_interval(months => months_before))::date as month

    from (
        select
            council,
            min(month) as first_month,
            max(month) as newest_month

        from volumes

        group by council
    ) as newest

    cross join generate_series(0, 2) as months_before

    where newest.newest_month - make_interval(months => months_before) >= newest.first_month

),

compared as (

    select
        judged.council,
        judged.month,
        coalesce(min(own.volume), 0) as volume,
        trim_scale(
            percentile_cont(0.5) within group (order by others.volume)::numeric
        ) as usual,
        count(*) as like_months

    from judged

    left join volumes as own on
        judged.council = own.council
        and judged.month = own.month

    inner join volumes as others on
        judged.council = others.council
        and judged.month <> others.month
        and extract(month from judged.month) = extract(month from others.month)

    group by judged.council, judged.month

)

select *

from compared

where volume < 0.5 * usual or volume > 2 * usual

{% endtest %}
