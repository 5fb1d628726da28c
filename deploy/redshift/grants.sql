-- Who may do what in the warehouse: run once as the database's administrator, after the roles stack. Where a user or role
-- is there already, leave its "create" out; the rest can be run again. ENVIRONMENT stands for the environment's name:
--
--   sed 's/ENVIRONMENT/prod/g' deploy/redshift/grants.sql
--
-- With IAM, Redshift Serverless calls the database user after the role: "IAMR:<role>". On a provisioned cluster, and with
-- passwords, put the names of your users there. "raw" is quoted because Redshift reserves the word.

create user "IAMR:packaging-ENVIRONMENT-run" password disable;
create user "IAMR:packaging-ENVIRONMENT-code-server" password disable;
create user "IAMR:packaging-ENVIRONMENT-deliverer" password disable;

create role packaging_platform;
create role packaging_watcher;
create role packaging_deliverer;
create role packaging_reader;

grant role packaging_platform to "IAMR:packaging-ENVIRONMENT-run";
grant role packaging_watcher to "IAMR:packaging-ENVIRONMENT-code-server";
grant role packaging_deliverer to "IAMR:packaging-ENVIRONMENT-deliverer";

-- Nobody gets anything for being there.
revoke create on schema public from public;
revoke all on database packaging from public;

-- The platform owns its four schemas, hence whatever is in them, and nothing else. CREATE is for "create schema if not
-- exists", which asks for it even where the schema is there; TEMP is for loading through a temporary table.
grant create, temp on database packaging to role packaging_platform;
create schema if not exists "raw" authorization "IAMR:packaging-ENVIRONMENT-run";
create schema if not exists ml authorization "IAMR:packaging-ENVIRONMENT-run";
create schema if not exists ops authorization "IAMR:packaging-ENVIRONMENT-run";
create schema if not exists marts authorization "IAMR:packaging-ENVIRONMENT-run";

-- Sensors and schedules look for what has arrived, and what was built of it. They change nothing.
grant usage on schema "raw" to role packaging_watcher;
grant select on all tables in schema "raw" to role packaging_watcher;
alter default privileges for user "IAMR:packaging-ENVIRONMENT-run" in schema "raw"
grant select on tables to role packaging_watcher;
grant usage on schema ops to role packaging_watcher;
grant select on all tables in schema ops to role packaging_watcher;
alter default privileges for user "IAMR:packaging-ENVIRONMENT-run" in schema ops
grant select on tables to role packaging_watcher;

-- Deliveries append to the raw tables, through a temporary table, and take the lock of all loads. Let the platform make
-- its tables first: any run of the job warehouse does.
grant temp on database packaging to role packaging_deliverer;
grant usage on schema "raw" to role packaging_deliverer;
-- To find what it has already, a delivery makes a table in raw, reads it and drops it: UNLOAD reads it in a session of its
-- own, where a temporary table is not seen. Who makes a table owns it, and may drop it; CREATE gives no right to others'.
grant create on schema "raw" to role packaging_deliverer;
grant select, insert on all tables in schema "raw" to role packaging_deliverer;
alter default privileges for user "IAMR:packaging-ENVIRONMENT-run" in schema "raw"
grant select, insert on tables to role packaging_deliverer;
grant usage on schema ops to role packaging_deliverer;
grant select, insert, update, delete on all tables in schema ops to role packaging_deliverer;
alter default privileges for user "IAMR:packaging-ENVIRONMENT-run" in schema ops
grant select, insert, update, delete on tables to role packaging_deliverer;

-- Stakeholders read what the platform decides, and neither raw data nor the platform's own bookkeeping. dbt drops and
-- makes tables anew, so the default privileges matter more than the grants. For a person or group of readers:
-- grant role packaging_reader to "analyst";
grant usage on schema marts to role packaging_reader;
grant select on all tables in schema marts to role packaging_reader;
alter default privileges for user "IAMR:packaging-ENVIRONMENT-run" in schema marts
grant select on tables to role packaging_reader;
grant usage on schema ml to role packaging_reader;
grant select on all tables in schema ml to role packaging_reader;
alter default privileges for user "IAMR:packaging-ENVIRONMENT-run" in schema ml
grant select on tables to role packaging_reader;
