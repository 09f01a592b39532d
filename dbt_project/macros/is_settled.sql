{#- Whether an outcome is more than that the police or a court still work on the crime. -#}
{% macro is_settled(outcome_category) -%}
    {{ outcome_category }} not in ('Under investigation', 'Awaiting court outcome')
{%- endmacro %}
