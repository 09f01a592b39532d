{#- The newest row of each key, of a source whose partitions hold what changed in their period.

    relation: a model or CTE with the names of staging models (`landing_id`, `record_no`).
    key: the columns that identify a record; `council` first, if each council has its own.
    period: the name of `_period` in it, such as `day`.
    changed: when the row changed, as the source says. It decides, whenever the row was fetched: a
        late change and an older day that is loaded again bring no older value back. Without it, and
        between rows of one time, the later period decides, then the later record of a landing.
    deleted: a condition that is true for a row that says that its record was deleted. If that is
        the newest one, the record is left out.

    A row without a value in each column of the key is kept as it is. A deletion that the source
    does not report is not known: fetch such a table whole, with `period: all`. -#}
{% macro newest(relation, key, period, changed=none, deleted=none) -%}
    select newest_of_key.*
    from (
        select distinct on (
            {{ quoted(key) }}
            {%- for column in ['landing_id', 'record_no'] %},
            case when
                {%- for part in key %} {{ adapter.quote(part) }} is null{{ " or" if not loop.last }}
                {%- endfor %} then {{ column }} end
            {%- endfor %}
        ) *
        from {{ relation }}
        order by
            {{ quoted(key) }}
            {%- for column in ['landing_id', 'record_no'] %},
            case when
                {%- for part in key %} {{ adapter.quote(part) }} is null{{ " or" if not loop.last }}
                {%- endfor %} then {{ column }} end
            {%- endfor %},
            {% if changed %}{{ adapter.quote(changed) }} desc nulls last,{% endif %}
            {{ adapter.quote(period) }} desc, record_no desc, landing_id desc
    ) as newest_of_key
    {% if deleted %}where ({{ deleted }}) is not true{% endif %}
{%- endmacro %}
