with

boundaries as (

    select * from {{ ref('stg_police__ward_boundaries') }}

),

-- Every month in which boundaries or crimes name a ward, and how.
mentions as (

    select distinct
        council,
        ward_code,
        ward_name,
        month,
        true as is_boundary

    from boundaries

    union all

    select distinct
        council,
        ward_code,
        ward_name,
        month,
        false as is_boundary

    from {{ ref('ward_crime_monthly') }}

),

wards as (

    select
        council,
        ward_code,
        -- as the newest month names it, boundaries first
        (array_agg(ward_name order by month desc, is_boundary desc, ward_name asc))[1] as ward_name,
        min(month) as first_month,
        max(month) as last_month,
        max(month) filter (where is_boundary) as boundary_month

    from mentions

    group by council, ward_code

),

newest_boundaries as (

    select
        council,
        max(month) as newest_month

    from boundaries

    group by council

),

rings as (

    select
        council,
        ward_code,
        -- exactly, so that the order of rows makes no difference
        avg(boundaries.latitude::numeric)::double precision as latitude,
        avg(boundaries.longitude::numeric)::double precision as longitude,
        jsonb_agg(
            jsonb_build_array(boundaries.longitude, boundaries.latitude)
            order by boundaries.point_no
        ) as points

    from boundaries

    inner join wards using (council, ward_code)

    where boundaries.month = wards.boundary_month

    group by council, ward_code

),

polygons as (

    select
        council,
        ward_code,
        latitude,
        longitude,
        jsonb_build_object(
            'type', 'Polygon',
            'coordinates', jsonb_build_array(
                -- GeoJSON closes a ring with its first point.
                case
                    when points -> 0 = points -> (jsonb_array_length(points) - 1) then points
                    else points || jsonb_build_array(points -> 0)
                end
            )
        ) as geometry

    from rings

),

final as (

    select
        council,
        ward_code,
        wards.ward_name,
        wards.first_month,
        wards.last_month,
        case
            when newest_boundaries.newest_month is not null
                then coalesce(wards.boundary_month = newest_boundaries.newest_month, false)
        end as is_current,
        wards.boundary_month,
        polygons.latitude,
        polygons.longitude,
        polygons.geometry

    from wards

    left join newest_boundaries using (council)

    left join polygons using (council, ward_code)

)

select * from final
