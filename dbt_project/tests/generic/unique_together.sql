{#- Fails with each combination of values of `columns` that stands in more than one row. -#}
{% test unique_together(model, columns) %}

select
    {{ columns | join(', ') }},
    count(*) as times

from {{ model }}

group by {{ columns | join(', ') }}

having count(*) > 1

{% endtest %}
