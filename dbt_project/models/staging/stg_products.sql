-- Grain: one row per product version (product_id x updated_at).
select
    product_id,
    updated_at,
    created_at,
    title,
    category,
    subcategory,
    product_type,
    brand,
    length_cm,
    width_cm,
    height_cm,
    weight_kg,
    price_usd,
    is_liquid,
    {{ embedding_columns() }}
from {{ source('raw', 'products') }}
