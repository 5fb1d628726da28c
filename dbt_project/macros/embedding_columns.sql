{# The 64 columns of the image embedding, separated by commas. #}
{% macro embedding_columns(relation_alias='') -%}
    {%- for index in range(64) -%}
        {{ relation_alias ~ '.' if relation_alias }}image_embedding_{{ '%02d' % index }}
        {%- if not loop.last %}, {% endif -%}
    {%- endfor -%}
{%- endmacro %}
