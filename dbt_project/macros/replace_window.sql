{# Incremental strategy: replaces every row whose meta.window_column is in the window, also where the new window is empty.
   The materialization has begun a transaction and commits after this: both statements or neither.
   delete+insert by key is no substitute: it leaves the rows whose key did not come again. #}
{% macro get_incremental_replace_window_sql(arg_dict) %}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    delete from {{ arg_dict['target_relation'] }}
    where {{ in_window(config.meta_require('window_column')) }};

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    (
        select {{ columns }}
        from {{ arg_dict['temp_relation'] }}
    )
{% endmacro %}
