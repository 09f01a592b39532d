{#- A hook of every model: records, in the transaction that writes its rows, what they were built
    from. After a build by hand that is not known: the next run builds the model whole. -#}
{% macro record_build() -%}
    {%- set name = this.schema ~ '.' ~ this.identifier -%}
    {%- if var('plan', '') -%}
        do $$
        begin
            update ops.dbt_state
            set fingerprint = planned_fingerprint, loads = planned_loads,
                relation = ops.relation_state(name), built_at = clock_timestamp()
            where name = {{ literal(name) }} and planned_by = {{ literal(var('plan')) }};
            if not found then
                raise exception 'another run of wandle transform has begun to build %', {{ literal(name) }};
            end if;
        end
        $$
    {%- elif not env_var('WANDLE_SCHEMA_PREFIX', '') -%}
        update ops.dbt_state set fingerprint = null where name = {{ literal(name) }}
    {%- endif -%}
{%- endmacro %}
