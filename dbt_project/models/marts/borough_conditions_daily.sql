with

weather as (

    select
        council,
        day,
        count(*) filter (where hours_with_data > 0) as places,
        min(lowest_celsius) as lowest_celsius,
        max(highest_celsius) as highest_celsius,
        avg(mean_celsius)::numeric(4, 1) as mean_celsius,
        max(rain_mm) as rain_mm,
        max(strongest_wind_kmh) as strongest_wind_kmh

    from {{ ref('weather_daily') }}

    group by council, day

),

levels as (

    select
        council,
        day,
        measure,
        station_name,
        highest,
        typical_high,
        highest - typical_high as metres_above_typical

    from {{ ref('river_levels_daily') }}

    where
        qualifier = 'Stage'
        and highest is not null
        and typical_high is not null

),

rivers as (

    select
        council,
        day,
        count(*) as gauges,
        count(*) filter (where metres_above_typical > 0) as gauges_above_typical

    from levels

    group by council, day

),

highest_levels as (

    select distinct on (council, day)
        council,
        day,
        station_name as highest_gauge,
        highest as highest_gauge_level,
        typical_high as highest_gauge_typical_high,
        metres_above_typical

    from levels

    order by council asc, day asc, metres_above_typical desc, measure asc

),

final as (

    select
        council,
        day,
        coalesce(weather.places, 0) as places,
        weather.lowest_celsius,
        weather.highest_celsius,
        weather.mean_celsius,
        weather.rain_mm,
        weather.strongest_wind_kmh,
        coalesce(rivers.gauges, 0) as gauges,
        coalesce(rivers.gauges_above_typical, 0) as gauges_above_typical,
        highest_levels.highest_gauge,
        highest_levels.highest_gauge_level,
        highest_levels.highest_gauge_typical_high,
        highest_levels.metres_above_typical,
        calendar.is_bank_holiday,
        calendar.bank_holiday

    from weather

    full outer join rivers using (council, day)

    left join highest_levels using (council, day)

    left join {{ ref('dim_date') }} as calendar using (day)

)

select * from final
