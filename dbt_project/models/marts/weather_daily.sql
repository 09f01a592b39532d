{{ config(materialized='incremental', unique_key=['council', 'day']) }}

with

hours as (

    select * from {{ ref('stg_weather__hourly') }}

),

days as (

    select
        council,
        point_name,
        day,
        count(temperature_2m) as hours_with_data,
        min(temperature_2m) as lowest_celsius,
        max(temperature_2m) as highest_celsius,
        round(avg(temperature_2m), 1) as mean_celsius,
        sum(precipitation) as rain_mm,
        max(wind_speed_10m) as strongest_wind_kmh

    from hours

    group by council, point_name, day

)

select * from days
