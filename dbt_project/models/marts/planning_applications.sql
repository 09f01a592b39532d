with

applications as (

    select
        council,
        entity,
        reference,
        application_type,
        description,
        address,
        start_date,
        decision_date,
        decision,
        entry_date,
        month

    from {{ ref('stg_planning__applications') }}

),

newest as (

    select distinct on (council, entity) *

    from applications

    order by council asc, entity asc, month desc

),

listed as (

    select
        council,
        entity,
        min(month) as first_month

    from applications

    group by council, entity

),

snapshots as (

    select
        council,
        max(month) as newest_month

    from applications

    group by council

),

final as (

    select
        council,
        entity,
        newest.reference,
        newest.application_type,
        newest.description,
        newest.address,
        newest.start_date,
        newest.decision_date,
        newest.decision,
        newest.decision_date is not null or newest.decision is not null as is_decided,
        case
            when newest.decision_date >= newest.start_date
                then newest.decision_date - newest.start_date
        end as days_to_decision,
        newest.entry_date,
        listed.first_month,
        newest.month as last_month,
        newest.month = snapshots.newest_month as is_listed,
        'https://www.planning.data.gov.uk/entity/' || entity::text as entity_url

    from newest

    inner join listed using (council, entity)

    inner join snapshots using (council)

)

select * from final
