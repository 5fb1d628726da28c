-- Grain: one row per product x package type x day (product_id x package_type x evidence_on).
{{ config(
    materialized='window',
    dist='product_id',
    sort='evidence_on'
) }}

with events as (
    select
        product_id,
        package_type,
        cast(tested_at as date) as evidence_on,
        case when is_passed then 1 else 0 end as tests_passed,
        case when is_passed then 0 else 1 end as tests_failed,
        case when is_passed and is_random_sample then 1 else 0 end as random_tests_passed,
        case when not is_passed and is_random_sample then 1 else 0 end as random_tests_failed,
        0 as shipments,
        0 as damage_reports
    from {{ ref('stg_package_tests') }}
    where {{ in_window('tested_at') }}

    union all

    select
        product_id,
        package_type,
        cast(shipped_at as date) as evidence_on,
        0 as tests_passed,
        0 as tests_failed,
        0 as random_tests_passed,
        0 as random_tests_failed,
        shipments,
        damage_reports
    from {{ ref('stg_customer_feedback') }}
    where {{ in_window('shipped_at') }}
)

select
    product_id,
    package_type,
    evidence_on,
    cast(sum(tests_passed) as bigint) as tests_passed,
    cast(sum(tests_failed) as bigint) as tests_failed,
    cast(sum(random_tests_passed) as bigint) as random_tests_passed,
    cast(sum(random_tests_failed) as bigint) as random_tests_failed,
    cast(sum(shipments) as bigint) as shipments,
    cast(sum(damage_reports) as bigint) as damage_reports
from events
group by product_id, package_type, evidence_on
