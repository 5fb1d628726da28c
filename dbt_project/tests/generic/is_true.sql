{# The condition holds in every row; null does not hold. #}
{% test is_true(model, condition) %}
    select *
    from {{ model }}
    where not coalesce({{ condition }}, false)
{% endtest %}
