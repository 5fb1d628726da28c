-- Grain: one row per hour of [$window_start, $as_of) with product versions: how many.
select
    date_trunc('hour', updated_at) as slice_start,
    count(*) as slice_rows
from marts.product_features
where
    updated_at >= cast($window_start as timestamp)
    and updated_at < cast($as_of as timestamp)
group by date_trunc('hour', updated_at)
order by slice_start
