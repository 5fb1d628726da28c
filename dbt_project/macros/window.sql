{# A bound of the window as a timestamp literal. Refuses what is not midnight: a part of a day cannot be replaced. #}
{% macro window_bound(name) -%}
    {%- set bound = modules.datetime.datetime.fromisoformat(var(name) | string) -%}
    {%- if bound.tzinfo is not none -%}
        {%- set bound = bound.astimezone(modules.pytz.utc).replace(tzinfo=none) -%}
    {%- endif -%}
    {%- if bound.time() != modules.datetime.time() -%}
        {{ exceptions.raise_compiler_error(
            "Variable " ~ name ~ " is " ~ var(name) ~ ": a window begins and ends at midnight UTC; pass a whole day."
        ) }}
    {%- endif -%}
    cast('{{ bound.strftime("%Y-%m-%d") }} 00:00:00' as timestamp)
{%- endmacro %}

{# Whether a time or a date falls in [window_start, window_end); a full refresh takes all of history. #}
{% macro in_window(column) -%}
    {%- if should_full_refresh() -%}
        true
    {%- else -%}
        {{ column }} >= {{ window_bound('window_start') }} and {{ column }} < {{ window_bound('window_end') }}
    {%- endif -%}
{%- endmacro %}

{# Tests may say `where: updated_at >= __window_start__ and updated_at < __window_end__`: they cost only the window. #}
{% macro default__get_where_subquery(relation) -%}
    {%- set where = config.get('where', '') -%}
    {%- if not where -%}
        {%- do return(relation) -%}
    {%- endif -%}
    {%- set bounded = where
        | replace('__window_start__', window_bound('window_start'))
        | replace('__window_end__', window_bound('window_end')) -%}
    {%- do return('(select * from ' ~ relation ~ ' where ' ~ bounded ~ ') as windowed') -%}
{%- endmacro %}
