-- Grain: one row per product version (product_id x updated_at).
{{ config(
    materialized='window',
    dist='product_id',
    sort='updated_at'
) }}

with versions as (
    select
        *,
        length_cm is not null and width_cm is not null and height_cm is not null as has_all_sides
    from {{ ref('stg_products') }}
    where {{ in_window('updated_at') }}
),

-- greatest() and least() skip nulls: without the guard, two known sides would pass for three.
sides as (
    select
        *,
        case when has_all_sides then greatest(length_cm, width_cm, height_cm) end as longest_side_cm,
        case
            when has_all_sides
                then greatest(least(length_cm, width_cm), least(greatest(length_cm, width_cm), height_cm))
        end as middle_side_cm,
        case when has_all_sides then least(length_cm, width_cm, height_cm) end as shortest_side_cm,
        length_cm * width_cm * height_cm / 1000 as volume_l
    from versions
),

limits as (
    select {{ limits_side_by_side() }}
    from {{ ref('package_types') }}
)

select
    sides.product_id,
    sides.updated_at,
    sides.created_at,
    sides.title,
    sides.category,
    sides.subcategory,
    sides.product_type,
    sides.brand,
    cast(case when sides.is_liquid then 'true' when not sides.is_liquid then 'false' end as varchar(8)) as liquid,
    sides.length_cm,
    sides.width_cm,
    sides.height_cm,
    sides.weight_kg,
    sides.price_usd,
    sides.volume_l,
    sides.weight_kg / nullif(sides.volume_l, 0) as density_kg_per_l,
    sides.longest_side_cm,
    sides.middle_side_cm,
    sides.shortest_side_cm,
    2 * (sides.middle_side_cm + sides.shortest_side_cm) as girth_cm,
    sides.shortest_side_cm / nullif(sides.longest_side_cm, 0) as flatness,
    sides.longest_side_cm / nullif(sides.middle_side_cm, 0) as elongation,
    sides.price_usd / nullif(sides.weight_kg, 0) as price_per_kg_usd,
    cast(
        case
            when trim(sides.title) = '' then 0
            else length(trim(sides.title)) - length(replace(trim(sides.title), ' ', '')) + 1
        end as double precision
    ) as title_words,
    {{ embedding_columns('sides') }},
    {{ fits('mailer') }} as fits_mailer,
    {{ fits('bag') }} as fits_bag,
    {{ fits('box') }} as fits_box,
    {{ fits('sioc') }} as fits_sioc
from sides
cross join limits
-- As inventories are read: by time, so that a day or a slice of history is found without looking at all the others.
order by sides.updated_at, sides.product_id
