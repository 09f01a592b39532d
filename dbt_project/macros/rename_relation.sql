{#- A relation changes its name under an exclusive lock, and every reader that comes after one that
    waits for such a lock waits behind it. So it is requested in short tries, and readers pass in
    between. Portal and reader sessions that hold a mart for longer than `lock_timeout` are
    disconnected; if others hold it, the build fails, names them and is retried. -#}
{%- macro postgres__rename_relation(from_relation, to_relation) -%}
    {%- call statement('rename_relation') -%}
        do $$
        declare
            renamed regclass := '{{ from_relation.render() }}';
            patience text := current_setting('lock_timeout');
            give_up_at timestamptz := clock_timestamp() + patience::interval;
            try_for text := '100ms';
        begin
            loop
                begin
                    perform set_config('lock_timeout', try_for, true);
                    alter table {{ from_relation.render() }}
                        rename to {{ adapter.quote_as_configured(to_relation.identifier, 'identifier') }};
                    perform set_config('lock_timeout', patience, true);
                    return;
                exception when lock_not_available then
                    if patience = '0' or clock_timestamp() < give_up_at then
                        perform pg_sleep(0.4);
                    elsif clock_timestamp() > give_up_at + interval '10 seconds' then
                        raise lock_not_available using message = format(
                            'canceling statement due to lock timeout: %s is in use by %s',
                            renamed, coalesce(ops.sessions_using(renamed), 'nobody any more'));
                    else
                        perform ops.end_readers(renamed);
                        -- Readers that reconnect wait for this lock, however slowly the others end.
                        try_for := '3s';
                    end if;
                end;
            end loop;
        end
        $$
    {%- endcall -%}
{%- endmacro -%}
