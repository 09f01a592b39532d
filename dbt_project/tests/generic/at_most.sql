{#- Fails with each row in which the column `smaller` exceeds the column `larger`. -#}
{% test at_most(model, smaller, larger) %}

select * from {{ model }} where {{ quoted([smaller]) }} > {{ quoted([larger]) }}

{% endtest %}
