-- Grain: one row per hour of [$window_start, $as_of) with product versions: how many, and where they are stored.
-- DuckDB only, which numbers rows as they lie in the table.
select
    date_trunc('hour', updated_at) as slice_start,
    count(*) as slice_rows,
    min(rowid) as first_row,
    max(rowid) as last_row
from marts.product_features
where
    updated_at >= cast($window_start as timestamp)
    and updated_at < cast($as_of as timestamp)
group by date_trunc('hour', updated_at)
order by slice_start
