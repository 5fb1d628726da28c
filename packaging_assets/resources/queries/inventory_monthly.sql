-- Grain: one row per product known before $as_of: its newest version of before then.
with newest_versions as (
    select
        product_id,
        max(updated_at) as updated_at
    from marts.product_features
    where updated_at < cast($as_of as timestamp)
    group by product_id
)

select versions.*
from marts.product_features as versions
inner join newest_versions
    on
        versions.product_id = newest_versions.product_id
        and versions.updated_at = newest_versions.updated_at
order by versions.product_id
