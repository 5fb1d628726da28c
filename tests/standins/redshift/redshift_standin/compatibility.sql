-- Run once as superuser in the database that all others are copied from: PostgreSQL's catalog made Redshift's.
-- Names are changed in pg_catalog itself, so that no search path can undo it. Functions that call what is hidden at the
-- end have bodies that are parsed when they are made (RETURN): those go on working.
set allow_system_table_mods = on;

-- The stand-in's own way to functions that Redshift lacks.
alter routine pg_catalog.generate_series(integer, integer) rename to redshift_series;
alter routine pg_catalog.string_agg(text, text) rename to listagg;

-- Redshift truncates the mean of integers to an integer (SQL reference, AVG).
alter aggregate pg_catalog.avg(smallint) rename to redshift_exact_avg;
alter aggregate pg_catalog.avg(integer) rename to redshift_exact_avg;
alter aggregate pg_catalog.avg(bigint) rename to redshift_exact_avg;

create function pg_catalog.redshift_avg_add(state bigint[], value bigint) returns bigint[] language sql immutable as
'select case when value is null then state else array[state[1] + value, state[2] + 1] end';
create function pg_catalog.redshift_avg_end(state bigint[]) returns bigint language sql immutable as
'select case when state[2] > 0 then state[1] / state[2] end';
create aggregate pg_catalog.avg(bigint)
(sfunc = redshift_avg_add, stype = bigint[], initcond = '{0,0}', finalfunc = redshift_avg_end);
create function pg_catalog.redshift_avg_add(state bigint[], value integer) returns bigint[] language sql immutable as
'select redshift_avg_add(state, value::bigint)';
create aggregate pg_catalog.avg(integer)
(sfunc = redshift_avg_add, stype = bigint[], initcond = '{0,0}', finalfunc = redshift_avg_end);
create function pg_catalog.redshift_avg_add(state bigint[], value smallint) returns bigint[] language sql immutable as
'select redshift_avg_add(state, value::bigint)';
create aggregate pg_catalog.avg(smallint)
(sfunc = redshift_avg_add, stype = bigint[], initcond = '{0,0}', finalfunc = redshift_avg_end);

alter routine pg_catalog.version() rename to redshift_postgresql_version;
create function pg_catalog.version() returns varchar language sql stable as
$$select cast('PostgreSQL 8.0.2 on x86_64-pc-linux-gnu, compiled by GCC, Redshift 1.0.0 (stand-in)' as varchar)$$;

-- Times.
create function pg_catalog.getdate() returns timestamp language sql volatile
return date_trunc('second', clock_timestamp() at time zone 'UTC');

create function pg_catalog.redshift_part(part text) returns text language sql immutable as
$$select case lower(part)
    when 'y' then 'year' when 'yr' then 'year' when 'yrs' then 'year' when 'years' then 'year'
    when 'q' then 'quarter' when 'qtr' then 'quarter' when 'quarters' then 'quarter'
    when 'mon' then 'month' when 'mons' then 'month' when 'months' then 'month'
    when 'w' then 'week' when 'weeks' then 'week'
    when 'd' then 'day' when 'days' then 'day'
    when 'h' then 'hour' when 'hr' then 'hour' when 'hours' then 'hour'
    when 'm' then 'minute' when 'min' then 'minute' when 'minutes' then 'minute'
    when 's' then 'second' when 'sec' then 'second' when 'seconds' then 'second'
    when 'ms' then 'millisecond' when 'us' then 'microsecond'
    else lower(part) end$$;

create function pg_catalog.dateadd(part text, amount integer, moment timestamp) returns timestamp
language sql immutable as
$$select moment + amount * case when redshift_part(part) = 'quarter' then interval '3 months'
    else cast('1 ' || redshift_part(part) as interval) end$$;
create function pg_catalog.dateadd(part text, amount integer, moment date) returns timestamp
language sql immutable as $$select dateadd(part, amount, cast(moment as timestamp))$$;

-- Boundaries crossed between the two, weeks beginning on Sunday (SQL reference, DATEDIFF).
create function pg_catalog.datediff(part text, first timestamp, second timestamp) returns bigint
language sql immutable as
$$select cast(case redshift_part(part)
    when 'year' then extract(year from second) - extract(year from first)
    when 'quarter' then 4 * (extract(year from second) - extract(year from first))
        + extract(quarter from second) - extract(quarter from first)
    when 'month' then 12 * (extract(year from second) - extract(year from first))
        + extract(month from second) - extract(month from first)
    when 'week' then floor((second::date - date '1899-12-31') / 7.0) - floor((first::date - date '1899-12-31') / 7.0)
    when 'day' then second::date - first::date
    else round(extract(epoch from date_trunc(redshift_part(part), second) - date_trunc(redshift_part(part), first))
        / extract(epoch from cast('1 ' || redshift_part(part) as interval)))
    end as bigint)$$;

create function pg_catalog.last_day(moment timestamp) returns date language sql immutable as
$$select cast(date_trunc('month', moment) + interval '1 month - 1 day' as date)$$;
create function pg_catalog.add_months(moment timestamp, months integer) returns timestamp language sql immutable as
$$select moment + months * interval '1 month'$$;
create function pg_catalog.convert_timezone(source text, target text, moment timestamp) returns timestamp
language sql stable as $$select (moment at time zone source) at time zone target$$;
create function pg_catalog.convert_timezone(target text, moment timestamp) returns timestamp
language sql stable as $$select (moment at time zone 'UTC') at time zone target$$;

-- Text.
create function pg_catalog.len(value text) returns integer language sql immutable as 'select length(value)';
create function pg_catalog.charindex(part text, value text) returns integer language sql immutable as
'select strpos(value, part)';
create function pg_catalog.sha2(value text, bits integer) returns varchar language sql immutable
return cast(encode(case bits when 224 then sha224(value::bytea) when 384 then sha384(value::bytea)
    when 512 then sha512(value::bytea) else sha256(value::bytea) end, 'hex') as varchar);
create function pg_catalog.strtol(value text, base integer) returns bigint language plpgsql immutable as
$$declare total bigint := 0;
begin
    for place in 1 .. length(value) loop
        total := total * base + strpos('0123456789abcdefghijklmnopqrstuvwxyz', lower(substr(value, place, 1))) - 1;
    end loop;
    return total;
end$$;

-- How the wire proxy and the Data API make a statement fail inside its transaction.
create function pg_catalog.redshift_refuse(message text, state text, detail text) returns integer
language plpgsql volatile as
$$begin
    raise exception using message = message, errcode = state, detail = detail;
end$$;

-- What dbt looks at.
create function pg_catalog.pg_get_late_binding_view_cols() returns setof record language sql stable as
$$select cast(null as name), cast(null as name), cast(null as name), cast(null as varchar), cast(null as integer)
where false$$;

create view pg_catalog.svv_external_columns as
select cast(null as varchar(256)) as schemaname, cast(null as varchar(256)) as tablename,
    cast(null as varchar(256)) as columnname, cast(null as varchar(256)) as external_type,
    cast(null as integer) as columnnum
where false;

create view pg_catalog.svv_table_info as
select cast(current_database() as varchar(256)) as "database", cast(spaces.nspname as varchar(256)) as "schema",
    cast(tables.relname as varchar(256)) as "table", tables.oid as table_id, cast('Y, AUTO(ENCODE)' as varchar(16)) as encoded,
    cast('AUTO(ALL)' as varchar(32)) as diststyle, cast(null as varchar(256)) as sortkey1,
    cast(null as integer) as max_varchar, cast(null as varchar(32)) as sortkey1_enc, cast(0 as integer) as sortkey_num,
    pg_relation_size(tables.oid) / 1048576 + 1 as size, cast(0 as numeric(10, 4)) as pct_used,
    cast(null as numeric(5, 2)) as unsorted, cast(0 as numeric(5, 2)) as stats_off,
    cast(greatest(tables.reltuples, 0) as numeric(38, 0)) as tbl_rows, cast(null as numeric(19, 2)) as skew_sortkey1,
    cast(null as numeric(19, 2)) as skew_rows
from pg_class as tables
inner join pg_namespace as spaces on tables.relnamespace = spaces.oid
where tables.relkind = 'r' and spaces.nspname not in ('pg_catalog', 'information_schema', 'pg_toast');

create view pg_catalog.svv_tables as
select table_catalog, table_schema, table_name, table_type, cast(null as varchar(256)) as remarks
from information_schema.tables;
create view pg_catalog.svv_columns as select * from information_schema.columns;
grant select on pg_catalog.svv_external_columns, pg_catalog.svv_table_info, pg_catalog.svv_tables,
    pg_catalog.svv_columns to public;

-- What Redshift has not: those functions and types answer as if they had never been there.
do $$
declare
    routine record;
    hidden text;
begin
    for routine in
        select cast(oid as regprocedure) as signature, proname
        from pg_proc
        where pronamespace = 'pg_catalog'::regnamespace and (
            proname = any(cast(
                '{generate_series,string_agg,array_agg,array_append,array_cat,array_fill,array_length,array_position,'
                'array_prepend,array_remove,array_replace,array_to_string,string_to_array,string_to_table,cardinality,'
                'regexp_matches,regexp_match,regexp_split_to_array,regexp_split_to_table,make_date,make_time,'
                'make_timestamp,make_timestamptz,make_interval,gen_random_uuid,uuidv4,uuidv7,format,concat_ws,mode,'
                'row_to_json,date_bin,num_nulls,num_nonnulls,width_bucket,parse_ident,clock_timestamp,'
                'statement_timestamp,setval,nextval,currval,lastval,to_tsvector,to_tsquery,xmlagg}' as name[]))
            or proname like 'json%' or proname like 'to\_json%')
            and proname not like 'jsonb\_in%' and proname not like 'json\_in%'
    loop
        execute 'alter routine ' || routine.signature || ' rename to '
            || quote_ident(left('redshift_has_no_' || routine.proname, 63));
    end loop;
    foreach hidden in array cast('{uuid,json,jsonb,bytea,money,inet,cidr,macaddr,xml,tsvector,tsquery}' as name[]) loop
        execute 'alter type pg_catalog.' || quote_ident(hidden) || ' rename to '
            || quote_ident('redshift_has_no_' || hidden);
    end loop;
end $$;
