-- Grain: one row per product x package type with evidence by $as_of: tests of the days before, and shipments of the
-- days at least $maturity_days before, since customers take that long to complain. Products not yet known by then are
-- left out: they have no features either.
with counting as (
    select
        evidence.product_id,
        evidence.package_type,
        evidence.evidence_on,
        evidence.tests_passed,
        evidence.tests_failed,
        evidence.random_tests_passed,
        evidence.random_tests_failed,
        case when evidence.evidence_on <= horizon.matured_on then evidence.shipments else 0 end as shipments,
        case when evidence.evidence_on <= horizon.matured_on then evidence.damage_reports else 0 end as damage_reports
    from marts.package_evidence as evidence
    cross join (
        select
            cast(cast($as_of as timestamp) as date) as ends_on,
            cast(cast($as_of as timestamp) as date) - cast($maturity_days as integer) as matured_on
    ) as horizon
    where
        evidence.evidence_on < horizon.ends_on
        and (
            evidence.tests_passed + evidence.tests_failed > 0
            or evidence.evidence_on <= horizon.matured_on
        )
),

totals as (
    select
        product_id,
        package_type,
        cast(sum(tests_passed) as bigint) as tests_passed,
        cast(sum(tests_failed) as bigint) as tests_failed,
        cast(sum(random_tests_passed) as bigint) as random_tests_passed,
        cast(sum(random_tests_failed) as bigint) as random_tests_failed,
        cast(sum(shipments) as bigint) as shipments,
        cast(sum(damage_reports) as bigint) as damage_reports,
        cast(min(evidence_on) as timestamp) as first_evidence_at,
        cast(max(evidence_on) as timestamp) as last_evidence_at
    from counting
    group by product_id, package_type
),

newest_versions as (
    select
        product_id,
        max(updated_at) as updated_at
    from marts.product_features
    where updated_at < cast($as_of as timestamp)
    group by product_id
)

select
    totals.product_id,
    totals.package_type,
    versions.category,
    totals.tests_passed,
    totals.tests_failed,
    totals.random_tests_passed,
    totals.random_tests_failed,
    totals.shipments,
    totals.damage_reports,
    totals.first_evidence_at,
    totals.last_evidence_at
from totals
inner join newest_versions on totals.product_id = newest_versions.product_id
inner join marts.product_features as versions
    on
        newest_versions.product_id = versions.product_id
        and newest_versions.updated_at = versions.updated_at
order by totals.product_id, totals.package_type
