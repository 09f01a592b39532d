-- The summary of wards and the outcomes by age have the crimes of the monthly marts, and no other.
with

by_month as (

    select
        council,
        month,
        sum(crimes) filter (where category <> '{{ never_has_an_outcome() }}') as crimes,
        sum(crimes) filter (
            where category <> '{{ never_has_an_outcome() }}'
            and outcome_category <> '{{ no_outcome() }}'
            and {{ is_settled('outcome_category') }}
        ) as with_outcome

    from {{ ref('crime_outcomes_monthly') }}

    group by council, month

),

by_age as (

    select
        council,
        month,
        crimes,
        with_outcome

    from {{ ref('crime_outcomes_by_age') }}

    where months_elapsed = months_known

),

latest_year as (

    select
        council,
        max(month) as last_month,
        (max(month) - interval '11 months')::date as first_month

    from {{ ref('ward_crime_monthly') }}

    group by council

),

in_latest_year as (

    select
        council,
        latest_year.last_month,
        sum(monthly.crimes) as crimes,
        sum(monthly.with_outcome) as with_outcome

    from {{ ref('ward_crime_monthly') }} as monthly

    inner join latest_year using (council)

    where monthly.month >= latest_year.first_month

    group by council, latest_year.last_month

),

summaries as (

    select
        council,
        last_month,
        sum(crimes) as crimes,
        sum(with_outcome) as with_outcome

    from {{ ref('ward_crime_summary') }}

    group by council, last_month

)

select
    'crime_outcomes_by_age' as mart,
    council,
    month,
    by_month.crimes as expected_crimes,
    by_age.crimes,
    by_month.with_outcome as expected_with_outcome,
    by_age.with_outcome

from by_month

full outer join by_age using (council, month)

where
    coalesce(by_month.crimes, 0) <> coalesce(by_age.crimes, 0)
    or coalesce(by_month.with_outcome, 0) <> coalesce(by_age.with_outcome, 0)

union all

select
    'ward_crime_summary' as mart,
    council,
    last_month as month,
    in_latest_year.crimes as expected_crimes,
    summaries.crimes,
    in_latest_year.with_outcome as expected_with_outcome,
    summaries.with_outcome

from in_latest_year

full outer join summaries using (council, last_month)

where
    in_latest_year.crimes is distinct from summaries.crimes
    or in_latest_year.with_outcome is distinct from summaries.with_outcome
