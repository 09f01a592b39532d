{#- Names of columns with quotes around them: `user` without quotes is the database role. -#}
{% macro quoted(columns) -%}
    {%- for column in columns -%}
        {{ adapter.quote(column) }}{{ ", " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
