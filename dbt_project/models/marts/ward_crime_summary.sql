with

monthly as (

    select
        council,
        ward_code,
        month,
        max(ward_name) as ward_name,
        sum(crimes) as crimes,
        sum(with_outcome) as with_outcome

    from {{ ref('ward_crime_monthly') }}

    group by council, ward_code, month

),

-- A month is complete as soon as it is there: a load replaces a whole month of a council.
years as (

    select
        council,
        max(month) as last_month,
        (max(month) - interval '11 months')::date as first_month,
        (max(month) - interval '23 months')::date as first_month_before

    from monthly

    group by council

),

loaded as (

    select
        council,
        count(distinct monthly.month) filter (where monthly.month >= years.first_month) as months,
        count(distinct monthly.month) filter (
            where
            monthly.month >= years.first_month_before
            and monthly.month < years.first_month
        ) as months_before

    from monthly

    inner join years using (council)

    group by council

),

wards as (

    select
        council,
        monthly.ward_code,
        (array_agg(monthly.ward_name order by monthly.month desc))[1] as ward_name,
        sum(monthly.crimes) filter (where monthly.month >= years.first_month)::bigint as crimes,
        sum(monthly.with_outcome) filter (
            where monthly.month >= years.first_month
        )::bigint as with_outcome,
        sum(monthly.crimes) filter (
            where
            monthly.month >= years.first_month_before
            and monthly.month < years.first_month
        )::bigint as crimes_before,
        min(monthly.month) as ward_first_month,
        max(monthly.month) as ward_last_month

    from monthly

    inner join years using (council)

    group by council, monthly.ward_code

),

compared as (

    select
        council,
        wards.ward_code,
        wards.ward_name,
        years.first_month,
        years.last_month,
        loaded.months,
        wards.crimes,
        wards.with_outcome,
        -- Like is compared with like: two whole years, of a ward that was there in all of both.
        case
            when
                loaded.months = 12
                and loaded.months_before = 12
                and wards.ward_first_month <= years.first_month_before
                and wards.ward_last_month = years.last_month
                then wards.crimes_before
        end as crimes_year_before

    from wards

    inner join years using (council)

    inner join loaded using (council)

    where wards.crimes is not null

),

final as (

    select
        council,
        ward_code,
        ward_name,
        first_month,
        last_month,
        months,
        crimes,
        with_outcome,
        crimes_year_before,
        crimes - crimes_year_before as change,
        (
            100.0 * (crimes - crimes_year_before) / nullif(crimes_year_before, 0)
        )::numeric(8, 1) as change_percent,
        rank() over (partition by council order by crimes desc) as rank_in_council,
        count(*) over (partition by council) as wards_in_council

    from compared

)

select * from final
