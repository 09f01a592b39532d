{#- What stands in place of an outcome where a crime has none, told apart from the police's words. -#}
{% macro no_outcome() -%}
    No outcome yet
{%- endmacro %}
