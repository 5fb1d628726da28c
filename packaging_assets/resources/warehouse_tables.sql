-- The tables that the platform writes, for DuckDB and Redshift. Running this again changes nothing.
-- "raw" is quoted because Redshift reserves the word. No primary keys: Redshift does not enforce them, and DuckDB
-- would refuse to delete and insert a key in one transaction; ingestion and the dbt tests keep the keys unique.

create schema if not exists "raw";
create schema if not exists ml;
create schema if not exists ops;

create table if not exists "raw".products (
    product_id varchar(64) not null,
    updated_at timestamp not null,
    created_at timestamp not null,
    title varchar(500) not null,
    category varchar(64) not null,
    subcategory varchar(64) not null,
    product_type varchar(64) not null,
    brand varchar(64) not null,
    length_cm double precision,
    width_cm double precision,
    height_cm double precision,
    weight_kg double precision,
    price_usd double precision,
    is_liquid boolean,
    image_embedding_00 real,
    image_embedding_01 real,
    image_embedding_02 real,
    image_embedding_03 real,
    image_embedding_04 real,
    image_embedding_05 real,
    image_embedding_06 real,
    image_embedding_07 real,
    image_embedding_08 real,
    image_embedding_09 real,
    image_embedding_10 real,
    image_embedding_11 real,
    image_embedding_12 real,
    image_embedding_13 real,
    image_embedding_14 real,
    image_embedding_15 real,
    image_embedding_16 real,
    image_embedding_17 real,
    image_embedding_18 real,
    image_embedding_19 real,
    image_embedding_20 real,
    image_embedding_21 real,
    image_embedding_22 real,
    image_embedding_23 real,
    image_embedding_24 real,
    image_embedding_25 real,
    image_embedding_26 real,
    image_embedding_27 real,
    image_embedding_28 real,
    image_embedding_29 real,
    image_embedding_30 real,
    image_embedding_31 real,
    image_embedding_32 real,
    image_embedding_33 real,
    image_embedding_34 real,
    image_embedding_35 real,
    image_embedding_36 real,
    image_embedding_37 real,
    image_embedding_38 real,
    image_embedding_39 real,
    image_embedding_40 real,
    image_embedding_41 real,
    image_embedding_42 real,
    image_embedding_43 real,
    image_embedding_44 real,
    image_embedding_45 real,
    image_embedding_46 real,
    image_embedding_47 real,
    image_embedding_48 real,
    image_embedding_49 real,
    image_embedding_50 real,
    image_embedding_51 real,
    image_embedding_52 real,
    image_embedding_53 real,
    image_embedding_54 real,
    image_embedding_55 real,
    image_embedding_56 real,
    image_embedding_57 real,
    image_embedding_58 real,
    image_embedding_59 real,
    image_embedding_60 real,
    image_embedding_61 real,
    image_embedding_62 real,
    image_embedding_63 real
);

create table if not exists "raw".package_tests (
    test_id varchar(64) not null,
    product_id varchar(64) not null,
    package_type varchar(16) not null,
    tested_at timestamp not null,
    is_passed boolean not null,
    is_random_sample boolean not null
);

create table if not exists "raw".customer_feedback (
    feedback_id varchar(64) not null,
    product_id varchar(64) not null,
    package_type varchar(16) not null,
    shipped_at timestamp not null,
    shipments bigint not null,
    damage_reports bigint not null
);

create table if not exists "raw".quarantine (
    delivery_id varchar(64) not null,
    table_name varchar(64) not null,
    file_name varchar(500) not null,
    line bigint not null,
    field varchar(64),
    value varchar(1000),
    reason varchar(1000) not null
);

create table if not exists "raw".deliveries (
    delivery_id varchar(64) not null,
    table_name varchar(64) not null,
    file_name varchar(500) not null,
    accepted_rows bigint not null,
    duplicate_rows bigint not null,
    quarantined_rows bigint not null,
    received_at timestamp not null
);

-- Which days a delivery added rows to, and how many: only rows really appended.
create table if not exists "raw".delivery_days (
    delivery_id varchar(64) not null,
    table_name varchar(64) not null,
    day date not null,
    rows bigint not null
);

create table if not exists ml.predictions (
    cadence varchar(16) not null,
    partition_start date not null,
    product_id varchar(64) not null,
    package_type varchar(16) not null,
    score double precision not null,
    damage_probability double precision,
    is_suitable boolean not null,
    model_version bigint not null,
    as_of timestamp not null,
    load_id bigint not null,
    -- Last, where it was added to older tables; null there: the model has its package type's name.
    model varchar(64)
);

create table if not exists ml.prediction_loads (
    load_id bigint not null,
    cadence varchar(16) not null,
    partition_start date not null,
    content_hash varchar(64) not null,
    rows bigint not null,
    loaded_at timestamp not null
);

-- Predictions of shadow models: nothing is packed by them. Grain as ml.predictions, x model.
create table if not exists ml.shadow_predictions (
    cadence varchar(16) not null,
    partition_start date not null,
    product_id varchar(64) not null,
    package_type varchar(16) not null,
    score double precision not null,
    damage_probability double precision,
    is_suitable boolean not null,
    model_version bigint not null,
    as_of timestamp not null,
    load_id bigint not null,
    model varchar(64) not null
);

create table if not exists ml.shadow_prediction_loads (
    load_id bigint not null,
    cadence varchar(16) not null,
    partition_start date not null,
    content_hash varchar(64) not null,
    rows bigint not null,
    loaded_at timestamp not null,
    model varchar(64) not null
);

-- From which deliveries the windowed dbt models of a day were last built.
create table if not exists ops.built_days (
    day date not null,
    fingerprint varchar(64) not null
);

-- Which other dbt models are built, and from what; grain: group of models.
create table if not exists ops.built_groups (
    group_name varchar(64) not null,
    rows_hash varchar(64) not null,
    sql_hash varchar(64) not null
);
