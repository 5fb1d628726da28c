-- Grain: one row per product x package type x shipping period (feedback_id).
select
    feedback_id,
    product_id,
    package_type,
    shipped_at,
    shipments,
    damage_reports
from {{ source('raw', 'customer_feedback') }}
