-- Grain: one row per product x package type (product_id x package_type).
{{ config(materialized='view') }}

select
    predictions.product_id,
    predictions.package_type,
    predictions.score,
    predictions.damage_probability,
    predictions.is_suitable,
    cast(coalesce(predictions.model, predictions.package_type) as varchar(64)) as model,
    predictions.model_version,
    predictions.cadence,
    predictions.partition_start,
    predictions.as_of,
    predictions.load_id
from {{ source('ml', 'predictions') }} as predictions
qualify row_number() over (
    partition by predictions.product_id, predictions.package_type
    order by predictions.as_of desc, predictions.load_id desc
) = 1
