-- Grain: one row per product version in [$window_start, $as_of) of which there is a newer one in that window.
-- Few products have two: what is kept of them is small, however many products there are.
select
    versions.product_id,
    versions.updated_at
from marts.product_features as versions
inner join (
    select
        product_id,
        max(updated_at) as updated_at
    from marts.product_features
    where
        updated_at >= cast($window_start as timestamp)
        and updated_at < cast($as_of as timestamp)
    group by product_id
    having count(*) > 1
) as newest on versions.product_id = newest.product_id
where
    versions.updated_at >= cast($window_start as timestamp)
    and versions.updated_at < newest.updated_at
