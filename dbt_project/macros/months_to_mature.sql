{#- For how many months after a month its outcomes must be known before it is compared with others.
    Of the outcomes that the crimes of 2017 had after 18 months, 98 % were there after 12. -#}
{% macro months_to_mature() -%}
    12
{%- endmacro %}
