{% macro package_type_names() %}
    {{ return(['mailer', 'bag', 'box', 'sioc']) }}
{% endmacro %}

{# The limits of all package types side by side in one row, so that products are not multiplied to be checked.
   An empty limit becomes one that every known value meets; a type absent from the seed has null limits: nothing fits. #}
{% macro limits_side_by_side() %}
    {%- for name in package_type_names() %}
        {%- for limit in ['max_longest_cm', 'max_middle_cm', 'max_shortest_cm', 'max_weight_kg'] %}
            max(case when package_type = '{{ name }}' then coalesce({{ limit }}, 1e9) end) as {{ name }}_{{ limit }},
        {%- endfor %}
        {%- for limit in ['min_longest_cm', 'min_middle_cm', 'min_weight_kg'] %}
            max(case when package_type = '{{ name }}' then coalesce({{ limit }}, 0) end) as {{ name }}_{{ limit }},
        {%- endfor %}
        bool_or(package_type = '{{ name }}' and allows_liquid) as {{ name }}_allows_liquid
        {%- if not loop.last %},{% endif -%}
    {%- endfor %}
{% endmacro %}

{# Whether the product fits the package type. An unknown side or weight does not fit; an unknown liquid counts as one. #}
{% macro fits(name) -%}
    coalesce(
        sides.longest_side_cm between limits.{{ name }}_min_longest_cm and limits.{{ name }}_max_longest_cm
        and sides.middle_side_cm between limits.{{ name }}_min_middle_cm and limits.{{ name }}_max_middle_cm
        and sides.shortest_side_cm <= limits.{{ name }}_max_shortest_cm
        and sides.weight_kg between limits.{{ name }}_min_weight_kg and limits.{{ name }}_max_weight_kg
        and (limits.{{ name }}_allows_liquid or not coalesce(sides.is_liquid, true)),
        false
    )
{%- endmacro %}

{# The fits_<type> column of `relation` that belongs to a package type known only row by row. #}
{% macro fits_in(package_type, relation) -%}
    case {{ package_type }}
        {%- for name in package_type_names() %}
        when '{{ name }}' then {{ relation }}.fits_{{ name }}
        {%- endfor %}
    end
{%- endmacro %}
