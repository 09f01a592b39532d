{#- The first day of a month that is written `2017-05`; null for null and for an empty text. -#}
{% macro first_day_of(month) -%}
    to_date(nullif({{ month }}, ''), 'YYYY-MM')
{%- endmacro %}
