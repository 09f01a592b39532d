select
    date as holiday_on,
    title,
    notes,
    bunting
from {{ source('raw', 'bank_holidays') }}
