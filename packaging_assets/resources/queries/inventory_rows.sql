-- Grain: one row per product whose newest version (of those that `superseded` says are not) lies in
-- [$slice_start, $slice_end).
select versions.*
from marts.product_features as versions
left join superseded
    on
        versions.product_id = superseded.product_id
        and versions.updated_at = superseded.updated_at
where
    superseded.product_id is null
    and versions.updated_at >= cast($slice_start as timestamp)
    and versions.updated_at < cast($slice_end as timestamp)
