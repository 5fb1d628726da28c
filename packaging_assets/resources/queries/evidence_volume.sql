-- Grain: one row per package type x week, of the week that ends at $as_of and the four before it (0 where there was
-- nothing): how many rows of evidence began to count in that week. A test counts from its day, a shipping period
-- $maturity_days after it began.
with weeks as (
    select
        horizon.ends_on - 7 * back.weeks as ends_on,
        horizon.ends_on - 7 * back.weeks - 7 as starts_on
    from (select cast(cast($as_of as timestamp) as date) as ends_on) as horizon
    cross join (
        select 0 as weeks
        union all
        select 1 as weeks
        union all
        select 2 as weeks
        union all
        select 3 as weeks
        union all
        select 4 as weeks
    ) as back
),

new_rows as (
    select
        package_type,
        evidence_on as counts_from,
        sum(tests_passed + tests_failed) as evidence_rows
    from marts.package_evidence
    where
        tests_passed + tests_failed > 0
        and evidence_on >= cast(cast($as_of as timestamp) as date) - 35
        and evidence_on < cast(cast($as_of as timestamp) as date)
    group by package_type, evidence_on

    union all

    -- A day counts once it is over, at the midnight that ends a week: hence at least one day, and the day less.
    select
        package_type,
        evidence_on + greatest(cast($maturity_days as integer), 1) - 1 as counts_from,
        count(*) as evidence_rows
    from marts.package_evidence
    where
        shipments > 0
        and evidence_on > cast(cast($as_of as timestamp) as date) - greatest(cast($maturity_days as integer), 1) - 35
        and evidence_on <= cast(cast($as_of as timestamp) as date) - greatest(cast($maturity_days as integer), 1)
    group by package_type, evidence_on
)

select
    package_types.package_type,
    weeks.starts_on as week,
    cast(coalesce(sum(new_rows.evidence_rows), 0) as bigint) as evidence_rows
from marts.package_types as package_types
cross join weeks
left join new_rows
    on
        package_types.package_type = new_rows.package_type
        and weeks.starts_on <= new_rows.counts_from
        and weeks.ends_on > new_rows.counts_from
group by package_types.package_type, weeks.starts_on
order by package_types.package_type, weeks.starts_on
