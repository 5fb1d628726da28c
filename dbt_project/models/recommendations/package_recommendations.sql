-- Grain: one row per product (product_id).
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='product_id',
    on_schema_change='fail',
    dist='product_id',
    sort='product_id'
) }}

-- The newest load of each product, also where its predictions are older than those of another load:
-- a load that was looked at once is not looked at again.
with products as (
    select
        product_id,
        max(load_id) as load_id
    from {{ source('ml', 'predictions') }}
    {% if is_incremental() %}
        where load_id > (select coalesce(max(known.load_id), -1) from {{ this }} as known)
    {% endif %}
    group by product_id
),

-- As in latest_predictions, but ranking the rows of these products only: a day costs that day.
predictions as (
    select candidate.*
    from {{ source('ml', 'predictions') }} as candidate
    inner join products on candidate.product_id = products.product_id
    qualify row_number() over (
        partition by candidate.product_id, candidate.package_type
        order by candidate.as_of desc, candidate.load_id desc
    ) = 1
),

newest_versions as (
    select
        versions.product_id,
        max(versions.updated_at) as updated_at
    from {{ ref('product_features') }} as versions
    inner join products on versions.product_id = products.product_id
    group by versions.product_id
),

attributes as (
    select versions.*
    from {{ ref('product_features') }} as versions
    inner join newest_versions
        on
            versions.product_id = newest_versions.product_id
            and versions.updated_at = newest_versions.updated_at
),

options as (
    select
        products.product_id,
        products.load_id,
        package_types.package_type,
        package_types.robustness,
        predictions.score,
        predictions.damage_probability,
        cast(coalesce(predictions.model, predictions.package_type) as varchar(64)) as model,
        predictions.model_version,
        predictions.as_of,
        coalesce(predictions.is_suitable, false) as is_suitable,
        coalesce({{ fits_in('package_types.package_type', 'attributes') }}, false) as has_room,
        package_types.material_usd
        + package_types.shipping_base_usd
        + package_types.shipping_usd_per_kg * attributes.weight_kg
        + package_types.shipping_usd_per_l * attributes.volume_l
        + {{ var('damage_weight') }}
        * coalesce(attributes.price_usd, {{ var('unknown_price_usd') }})
        * predictions.damage_probability as expected_cost_usd
    from products
    cross join {{ ref('package_types') }} as package_types
    left join attributes on products.product_id = attributes.product_id
    left join predictions
        on
            products.product_id = predictions.product_id
            and package_types.package_type = predictions.package_type
),

graded as (
    select
        *,
        case when has_room and is_suitable then 1 when has_room then 2 else 3 end as grade,
        case when has_room and is_suitable then expected_cost_usd end as suitable_cost_usd,
        case when has_room and is_suitable then package_type end as suitable_package_type,
        max(as_of) over (partition by product_id) as newest_as_of
    from options
),

-- Cheapest suitable first; of equal cost, and among the unsuitable, the strongest.
ranked as (
    select
        *,
        row_number() over (
            partition by product_id
            order by grade asc, suitable_cost_usd asc nulls last, robustness desc
        ) as place,
        lead(suitable_package_type) over (
            partition by product_id
            order by grade asc, suitable_cost_usd asc nulls last, robustness desc
        ) as runner_up_package_type
    from graded
)

select
    product_id,
    case when grade < 3 then package_type end as package_type,
    cast(case grade
        when 1 then 'cheapest_suitable'
        when 2 then 'no_suitable_type'
        else 'nothing_fits'
    end as varchar(32)) as reason,
    case when grade < 3 then expected_cost_usd end as expected_cost_usd,
    case when grade < 3 then score end as score,
    case when grade < 3 then damage_probability end as damage_probability,
    case when grade < 3 then model end as model,
    case when grade < 3 then model_version end as model_version,
    runner_up_package_type,
    load_id,
    newest_as_of as as_of
from ranked
where place = 1
