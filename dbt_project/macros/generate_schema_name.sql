{#- Schemas are called exactly as `dbt_project.yml` says, without the target's schema before them, but
    after the prefix of a developer, if there is one. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ env_var('WANDLE_SCHEMA_PREFIX', '') }}
    {{- custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
