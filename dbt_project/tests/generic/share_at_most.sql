{# At most this share of the rows meets the condition. #}
{% test share_at_most(model, condition, share) %}
    select
        count(*) as row_count,
        sum(case when {{ condition }} then 1 else 0 end) as matching_rows
    from {{ model }}
    having sum(case when {{ condition }} then 1 else 0 end) > {{ share }} * count(*)
{% endtest %}
