{#- The condition for the rows of the partitions that this build rebuilds or tests; empty if that is
    all of them. `include/transform` writes the plan; dbt that is run by hand has none. -#}
{% macro in_changed_partitions() -%}
    {%- if execute and var('plan', '') -%}
        {%- set name = model.schema ~ '.' ~ (model.name if model.resource_type == 'test' else model.alias) -%}
        {#- One query for all nodes, kept in the graph: each `run_query` takes dbt some milliseconds. -#}
        {%- if 'planned' not in graph or graph['planned'][0] != var('plan') -%}
            {%- set query -%}
                select name, partitions::text from ops.dbt_state
                where partitions is not null and planned_by = {{ literal(var('plan')) }}
            {%- endset -%}
            {%- set planned = {} -%}
            {%- for row in run_query(query).rows -%}
                {%- do planned.update({row[0]: row[1]}) -%}
            {%- endfor -%}
            {%- do graph.update({'planned': (var('plan'), planned)}) -%}
        {%- endif -%}
        {%- set found = graph['planned'][1].get(name) -%}
        {%- if found -%}
            {%- set only = fromjson(found) -%}
            {%- set councils = {} -%}
            {%- for place in only['values'] -%}
                {%- do councils.setdefault(place[0], []).append(place[1] if place | length > 1) -%}
            {%- endfor -%}
            (
            {%- for council, periods in councils.items() -%}
                {{ ' or ' if not loop.first }}({{ adapter.quote(only['columns'][0]) }} = {{ literal(council) }}
                {%- if only['columns'] | length > 1 %} and {{ adapter.quote(only['columns'][1]) }} in (
                    {%- for period in periods %}{{ literal(period) }}{{ ', ' if not loop.last }}{% endfor -%}
                ){%- endif -%}
                )
            {%- else -%}
                false
            {%- endfor -%}
            )
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{% macro literal(text) -%}
    {{ dbt.string_literal(dbt.escape_single_quotes(text)) }}
{%- endmacro %}


{#- Tests whose failing rows depend on no other partition read only those that changed since they
    last passed. -#}
{% macro postgres__get_where_subquery(relation) -%}
    {%- set conditions = [config.get('where', ''), in_changed_partitions()] | select | list -%}
    {%- if conditions -%}
        {%- do return('(select * from ' ~ relation ~ ' where (' ~ conditions | join(') and (') ~ ')) as dbt_subquery') -%}
    {%- endif -%}
    {%- do return(relation) -%}
{%- endmacro %}
