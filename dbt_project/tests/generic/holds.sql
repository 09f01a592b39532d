{#- Fails with each row for which `condition`, SQL over the columns of the model, is false. -#}
{% test holds(model, condition, column_name=none) %}

select * from {{ model }} where not ({{ condition }})

{% endtest %}
