{#- The placeholder where a crime has no outcome, distinct from the police's own terms. -#}
{% macro no_outcome() -%}
    No outcome yet
{%- endmacro %}
