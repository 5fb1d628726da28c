-- Grain: one row per product with any evidence before $as_of: its newest version of before then.
with products as (
    select distinct product_id
    from marts.package_evidence
    where evidence_on < cast(cast($as_of as timestamp) as date)
),

newest_versions as (
    select
        versions.product_id,
        max(versions.updated_at) as updated_at
    from marts.product_features as versions
    inner join products on versions.product_id = products.product_id
    where versions.updated_at < cast($as_of as timestamp)
    group by versions.product_id
)

select versions.*
from marts.product_features as versions
inner join newest_versions
    on
        versions.product_id = newest_versions.product_id
        and versions.updated_at = newest_versions.updated_at
order by versions.product_id
