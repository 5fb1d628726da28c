-- Grain: one row per settled prediction (cadence x partition_start x product_id x package_type x stage x model).
{{ config(materialized='table', dist='product_id', sort='outcome_week') }}

-- A test counts from its day on, a shipping period maturity_days after it began: as in the labels that models learn.
{%- set wait_days = [var('maturity_days') | int, 1] | max - 1 %}

{%- set key = ['cadence', 'partition_start', 'product_id', 'package_type', 'stage', 'model'] %}

with predictions as (
    {%- for stage, table in [('live', 'predictions'), ('shadow', 'shadow_predictions')] %}
        select
            cadence,
            partition_start,
            product_id,
            package_type,
            cast('{{ stage }}' as varchar(16)) as stage,
            cast(coalesce(model, package_type) as varchar(64)) as model,
            model_version,
            score,
            is_suitable,
            as_of,
            load_id
        from {{ source('ml', table) }}
        {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

evidence as (
    select
        product_id,
        package_type,
        evidence_on,
        evidence_on as counts_from,
        tests_passed,
        tests_failed,
        random_tests_passed + random_tests_failed as random_tests,
        0 as shipments,
        0 as damage_reports
    from {{ ref('package_evidence') }}
    where tests_passed + tests_failed > 0

    union all

    select
        product_id,
        package_type,
        evidence_on,
        evidence_on + {{ wait_days }} as counts_from,
        0 as tests_passed,
        0 as tests_failed,
        0 as random_tests,
        shipments,
        damage_reports
    from {{ ref('package_evidence') }}
    where shipments > 0
),

first_evidence as (
    select
        product_id,
        package_type,
        min(evidence_on) as evidence_on
    from {{ ref('package_evidence') }}
    group by product_id, package_type
),

-- Only what is dated at or after the prediction's as_of, and counts by the last day that brought any evidence.
weeks as (
    select
        predictions.cadence,
        predictions.partition_start,
        predictions.product_id,
        predictions.package_type,
        predictions.stage,
        predictions.model,
        predictions.model_version,
        predictions.score,
        predictions.is_suitable,
        predictions.as_of,
        predictions.load_id,
        cast(date_trunc('week', evidence.counts_from) as date) as week,
        sum(evidence.tests_passed) as tests_passed,
        sum(evidence.tests_failed) as tests_failed,
        sum(evidence.random_tests) as random_tests,
        sum(evidence.shipments) as shipments,
        sum(evidence.damage_reports) as damage_reports
    from predictions
    inner join evidence
        on
            predictions.product_id = evidence.product_id
            and predictions.package_type = evidence.package_type
            and cast(predictions.as_of as date) <= evidence.evidence_on
    where evidence.counts_from <= (select max(known.evidence_on) from {{ ref('package_evidence') }} as known)
    group by
        predictions.cadence,
        predictions.partition_start,
        predictions.product_id,
        predictions.package_type,
        predictions.stage,
        predictions.model,
        predictions.model_version,
        predictions.score,
        predictions.is_suitable,
        predictions.as_of,
        predictions.load_id,
        cast(date_trunc('week', evidence.counts_from) as date)
),

known as (
    select
        cadence,
        partition_start,
        product_id,
        package_type,
        stage,
        model,
        model_version,
        score,
        is_suitable,
        as_of,
        load_id,
        week,
        {%- for count in ['tests_passed', 'tests_failed', 'random_tests', 'shipments', 'damage_reports'] %}
            sum({{ count }}) over (
                partition by {{ key | join(', ') }}
                order by week
                rows between unbounded preceding and current row
            ) as {{ count }}
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from weeks
),

labelled as (
    select
        *,
        case
            when tests_passed > tests_failed then 1
            when tests_passed + tests_failed > 0 then 0
            when damage_reports >= {{ var('min_damage_reports') }} then 0
            when damage_reports = 0 and shipments >= {{ var('min_shipments') }} then 1
        end as label
    from known
),

-- The first week that settles it: later evidence does not change what an earlier week was told.
outcomes as (
    select *
    from labelled
    where label is not null
    qualify row_number() over (
        partition by {{ key | join(', ') }}
        order by week
    ) = 1
)

select
    outcomes.cadence,
    outcomes.partition_start,
    outcomes.product_id,
    outcomes.package_type,
    outcomes.stage,
    outcomes.model,
    outcomes.model_version,
    outcomes.score,
    outcomes.is_suitable,
    outcomes.as_of,
    outcomes.load_id,
    outcomes.week as outcome_week,
    cast(outcomes.label as bigint) as label,
    cast(
        case when outcomes.tests_passed + outcomes.tests_failed > 0 then 'test' else 'feedback' end as varchar(16)
    ) as source,
    outcomes.random_tests > 0 as is_random_test,
    coalesce({{ fits_in('outcomes.package_type', 'versions') }}, false) as has_room,
    first_evidence.evidence_on < cast(outcomes.as_of as date) as has_earlier_evidence,
    cast(outcomes.tests_passed as bigint) as tests_passed,
    cast(outcomes.tests_failed as bigint) as tests_failed,
    cast(outcomes.shipments as bigint) as shipments,
    cast(outcomes.damage_reports as bigint) as damage_reports
from outcomes
inner join first_evidence
    on
        outcomes.product_id = first_evidence.product_id
        and outcomes.package_type = first_evidence.package_type
-- The product as it was known when it was scored.
left join {{ ref('product_features') }} as versions
    on
        outcomes.product_id = versions.product_id
        and outcomes.as_of > versions.updated_at
qualify row_number() over (
    partition by outcomes.{{ key | join(', outcomes.') }}
    order by versions.updated_at desc nulls last
) = 1
