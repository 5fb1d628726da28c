{# materialized='window': replaces every row whose meta.window_column is in the window, also where the new window is
   empty. One transaction: both statements or neither. A full refresh builds a table as `materialized='table'` does.
   dbt's incremental materialization would do as well, by way of a temporary table and twice as many macros; its
   delete+insert by key would not: it leaves the rows whose key did not come again. #}
{% materialization window, default %}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is none or not existing.is_table or should_full_refresh() -%}
        {{ return(context['materialization_table_' ~ adapter.type()]()) }}
    {%- endif -%}
    {%- set columns = get_quoted_csv(same_columns(existing, compiled_code)) -%}
    {{ run_hooks(pre_hooks, inside_transaction=false) }}
    {{ run_hooks(pre_hooks, inside_transaction=true) }}
    {% call statement('main') %}
        delete from {{ existing }}
        where {{ in_window(config.meta_require('window_column')) }};

        insert into {{ existing }} ({{ columns }})
        (
            select {{ columns }}
            from (
                {{ compiled_code }}
            ) as newest
        )
    {% endcall %}
    {% do apply_grants(existing, config.get('grants'), should_revoke=true) %}
    {% do persist_docs(existing, model) %}
    {{ run_hooks(post_hooks, inside_transaction=true) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=false) }}
    {{ return({'relations': [existing]}) }}
{% endmaterialization %}

{# The names of a table's columns, which must be those of the query, in whichever order. #}
{% macro same_columns(table, query) -%}
    {%- set of_table = adapter.get_columns_in_relation(table) | map(attribute='name') | list -%}
    {%- set of_query = get_column_schema_from_query(query) | map(attribute='name') | list -%}
    {%- set added = of_query | reject('in', of_table) | list -%}
    {%- set gone = of_table | reject('in', of_query) | list -%}
    {%- if added or gone -%}
        {{ exceptions.raise_compiler_error(
            "Model " ~ model.name ~ " has other columns than its table " ~ table ~ " (added: " ~
            (added | join(', ') or 'none') ~ "; gone: " ~ (gone | join(', ') or 'none') ~
            "): build all of it, by dbt run --full-refresh --select " ~ model.name ~ "."
        ) }}
    {%- endif -%}
    {{ return(of_table) }}
{%- endmacro %}
