{#- Tables and incremental models are built alike. The rows of changed partitions are deleted and
    inserted in one transaction, so readers see the old rows until the new ones are there. A table
    that is built whole is built beside the old one and swapped in; if something depends on the old
    one, such as other people's views, it keeps its place and gets the new rows. Nothing is dropped
    with `cascade`. -#}
{% materialization table, adapter='postgres' %}
    {{ return(replaced_rows()) }}
{% endmaterialization %}


{% materialization incremental, adapter='postgres' %}
    {{ return(replaced_rows()) }}
{% endmaterialization %}


{% macro replaced_rows() %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='table') -%}
    {%- set is_table = existing is not none and existing.type == 'table' -%}
    {%- set changed = in_changed_partitions() | trim if is_table else '' -%}
    {%- set grants = config.get('grants') -%}

    {{ drop_relation_if_exists(load_cached_relation(make_intermediate_relation(target))) }}
    {{ drop_relation_if_exists(load_cached_relation(make_backup_relation(target, 'table'))) }}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if is_table and (changed or is_used(existing)) %}
        {% do replace_in_place(target, changed) %}
    {% else %}
        {% do swap_in(target, existing) %}
    {% endif %}
    {% if not changed %}
        {% do apply_grants(target, grants, should_revoke=should_revoke(existing, full_refresh_mode=True)) %}
        {% do persist_docs(target, model) %}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{% endmacro %}


{% macro replace_in_place(target, changed) %}
    {%- set names = [] -%}
    {%- for column in adapter.get_columns_in_relation(target) -%}
        {%- do names.append(column.quoted) -%}
    {%- endfor -%}
    {%- set columns = names | join(', ') -%}
    {%- set where = 'where ' ~ changed if changed else '' -%}
    {% if config.get('contract').enforced and not changed %}
        {% do get_assert_columns_equivalent(sql) %}
    {% endif %}
    {% call statement('main') %}
        delete from {{ target }} {{ where }};
        insert into {{ target }} ({{ columns }})
        select {{ columns }} from (
            {{ sql }}
        ) as built {{ where }}
    {% endcall %}
{% endmacro %}


{% macro swap_in(target, existing) %}
    {%- set new = make_intermediate_relation(target) -%}
    {% call statement('main') %}
        {{ get_create_table_as_sql(False, new, sql) }}
    {% endcall %}
    {% do create_indexes(new) %}
    {% if existing is not none %}
        {%- set old = make_backup_relation(target, existing.type) -%}
        {% do adapter.rename_relation(existing, old) %}
        {% do adapter.rename_relation(new, target) %}
        {% do adapter.drop_relation(old) %}
    {% else %}
        {% do adapter.rename_relation(new, target) %}
    {% endif %}
{% endmacro %}


{#- Whether a view, a foreign key or the like depends on a table. -#}
{% macro is_used(relation) %}
    {%- set query -%}
        select exists (
            select from pg_depend as d
            left join pg_rewrite as own on d.classid = 'pg_rewrite'::regclass and own.oid = d.objid
            where
                d.refclassid = 'pg_class'::regclass
                and d.refobjid = '{{ relation.render() }}'::regclass
                and d.deptype = 'n'
                and own.ev_class is distinct from d.refobjid
        )
    {%- endset -%}
    {{ return(run_query(query).columns[0].values()[0]) }}
{% endmacro %}


{% macro postgres__drop_table(relation) -%}
    drop table if exists {{ relation }}
{%- endmacro %}


{% macro postgres__drop_view(relation) -%}
    drop view if exists {{ relation }}
{%- endmacro %}
