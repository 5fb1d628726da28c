{# A measure or price, unknown below a millionth of its unit, which no product has: of such numbers products and ratios
   leave the range of a double, which is 0 or infinite in DuckDB and an error in Redshift, in every build from then on. #}
{% macro measured(column) -%}
    case when {{ column }} >= 0.000001 then {{ column }} end as {{ column }}
{%- endmacro %}
