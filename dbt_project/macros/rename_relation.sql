{#- A relation changes its name under an exclusive lock, and every reader that comes after one that
    waits for such a lock waits behind it. So it is asked for in short tries, and readers pass in
    between; whoever reads on for as long as `lock_timeout` makes the build fail, to be retried. -#}
{%- macro postgres__rename_relation(from_relation, to_relation) -%}
    {%- call statement('rename_relation') -%}
        do $$
        declare
            patience text := current_setting('lock_timeout');
            give_up_at timestamptz := clock_timestamp() + patience::interval;
        begin
            loop
                begin
                    set local lock_timeout = '100ms';
                    alter table {{ from_relation.render() }}
                        rename to {{ adapter.quote_as_configured(to_relation.identifier, 'identifier') }};
                    perform set_config('lock_timeout', patience, true);
                    return;
                exception when lock_not_available then
                    if patience <> '0' and clock_timestamp() > give_up_at then
                        raise;
                    end if;
                    perform pg_sleep(0.4);
                end;
            end loop;
        end
        $$
    {%- endcall -%}
{%- endmacro -%}
