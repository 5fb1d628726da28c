-- Grain: one row per package test (test_id).
select
    test_id,
    product_id,
    package_type,
    tested_at,
    is_passed,
    is_random_sample
from {{ source('raw', 'package_tests') }}
