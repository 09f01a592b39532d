with

span as (

    select
        '{{ var("calendar_start") }}'::date as first_day,
        max(date) as last_day

    from {{ ref('stg_bank__holidays') }}

),

days as (

    select
        span.first_day + day_no as day,
        extract(isodow from span.first_day + day_no)::integer as day_of_week,
        extract(year from span.first_day + day_no)::integer as year

    from span

    cross join lateral generate_series(0, span.last_day - span.first_day) as day_no

),

holidays as (

    select
        month as listed_in,
        date as day,
        title,
        extract(year from date)::integer as year

    from {{ ref('stg_bank__holidays') }}

    where division = 'england-and-wales'

),

snapshots as (

    select
        listed_in,
        min(year) as first_year,
        max(year) as last_year

    from holidays

    group by listed_in

),

-- A list covers whole years. The newest one that covers a year decides about it: a holiday that
-- was moved leaves its old day, and years that have left the list keep their holidays.
listed_years as (

    select
        listed_year as year,
        max(listed_in) as listed_in

    from snapshots

    cross join lateral generate_series(first_year, last_year) as listed_year

    group by listed_year

),

bank_holidays as (

    select
        holidays.day,
        string_agg(holidays.title, '; ' order by holidays.title) as bank_holiday

    from holidays

    inner join listed_years using (year, listed_in)

    group by holidays.day

),

final as (

    select
        days.day,
        date_trunc('month', days.day)::date as month,
        days.year,
        extract(quarter from days.day)::integer as quarter,
        days.day_of_week,
        days.day_of_week >= 6 as is_weekend,
        case
            when listed_years.year is not null then bank_holidays.bank_holiday is not null
        end as is_bank_holiday,
        bank_holidays.bank_holiday,
        case
            when days.day_of_week >= 6 then false
            when listed_years.year is not null then bank_holidays.bank_holiday is null
        end as is_working_day

    from days

    left join listed_years using (year)

    left join bank_holidays using (day)

)

select * from final
