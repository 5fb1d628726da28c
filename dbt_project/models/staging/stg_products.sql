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
    {{ measured('length_cm') }},
    {{ measured('width_cm') }},
    {{ measured('height_cm') }},
    {{ measured('weight_kg') }},
    {{ measured('price_usd') }},
    is_liquid,
    {{ embedding_columns() }}
from {{ source('raw', 'products') }}
