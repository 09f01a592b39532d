select
    extract(year from holiday_on)::integer as year,
    count(*) as holidays
from {{ ref('stg_govuk__bank_holidays') }}
group by 1
