{#- Fails with each combination of values of `columns` that occurs in more than one row. -#}
{% test unique_together(model, columns) %}

select
    {{ quoted(columns) }},
    count(*) as times

from {{ model }}

group by {{ quoted(columns) }}

having count(*) > 1

{% endtest %}
