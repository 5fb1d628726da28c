-- Grain: one row per product that changed in [$window_start, $as_of): its newest version. As the window ends at $as_of,
-- that version lies in the window: no other rows need be looked at.
with newest_versions as (
    select
        product_id,
        max(updated_at) as updated_at
    from marts.product_features
    where
        updated_at >= cast($window_start as timestamp)
        and updated_at < cast($as_of as timestamp)
    group by product_id
)

select versions.*
from marts.product_features as versions
inner join newest_versions
    on
        versions.product_id = newest_versions.product_id
        and versions.updated_at = newest_versions.updated_at
where
    versions.updated_at >= cast($window_start as timestamp)
    and versions.updated_at < cast($as_of as timestamp)
order by versions.product_id
