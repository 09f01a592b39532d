{#- The category of crimes for which the police publish no outcome, ever. -#}
{% macro never_has_an_outcome() -%}
    anti-social-behaviour
{%- endmacro %}
