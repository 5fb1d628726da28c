-- Grain: one row per product x model version x stage whose outcome was settled in the week from $week: the newest of
-- that version's predictions, so that a product scored daily and monthly counts once.
select
    product_id,
    package_type,
    stage,
    model,
    model_version,
    score,
    as_of,
    label,
    is_random_test,
    has_room,
    has_earlier_evidence
from marts.prediction_outcomes
where outcome_week = cast($week as date)
qualify
    row_number() over (
        partition by product_id, package_type, stage, model, model_version
        order by as_of desc, load_id desc
    ) = 1
order by product_id, package_type, stage, model, model_version
