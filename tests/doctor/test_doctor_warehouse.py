"""`packaging doctor` and the warehouse in AWS, for each thing that can be wrong with it."""

from cloud_in_order import Cloud

from packaging_assets.doctor.check import Finding

ROLES = "deploy/cloudformation/roles.yaml"


def test_a_warehouse_that_is_paused_or_not_there(cloud: Cloud):
    redshift, name = cloud.clients["redshift"], cloud.groups
    redshift.create_cluster(
        ClusterIdentifier=name, NodeType="ra3.large", MasterUsername="admin", MasterUserPassword="Let-me-in-1"
    )
    redshift.pause_cluster(ClusterIdentifier=name)
    settings = cloud.settings(redshift_workgroup="", redshift_cluster=name, redshift_user="packaging")
    found = cloud.look("warehouse state", "warehouse", "warehouse files", settings=settings)
    assert found["warehouse state"] == Finding(
        "warehouse state",
        is_ok=False,
        found=f"cluster {name} is paused",
        remedy=f"Resume it: aws redshift resume-cluster --cluster-identifier {name}",
    )
    assert found["warehouse"].found == "not looked at: warehouse state must work first"
    assert found["warehouse files"].found == "not looked at: warehouse must work first"
    gone = cloud.settings(redshift_workgroup="", redshift_cluster="nobodys", redshift_user="packaging")
    assert cloud.one("warehouse state", settings=gone).found == "there is no cluster nobodys in us-east-1"
    none = cloud.one("warehouse state", settings=cloud.settings(redshift_workgroup="nobodys"))
    assert (none.found, none.remedy) == (
        "there is no workgroup nobodys in us-east-1",
        "Correct PACKAGING_REDSHIFT_WORKGROUP or PACKAGING_AWS_REGION.",
    )


def test_another_endpoint_than_the_warehouses_is_told_and_no_failure(cloud: Cloud):
    found = cloud.one("warehouse state", settings=cloud.settings(redshift_host="elsewhere.example.com"))
    assert (found.is_ok, found.found, found.remedy) == (
        True,
        "workgroup packaging is available at 127.0.0.1, and PACKAGING_REDSHIFT_HOST is elsewhere.example.com",
        "Correct it, unless it is an endpoint of your own for this warehouse.",
    )


def test_a_database_that_is_not_there(cloud: Cloud):
    found = cloud.one("warehouse", settings=cloud.settings(redshift_database="nobodys"))
    assert found.is_ok is False
    assert found.found.startswith("workgroup packaging does not let us in: ")
    assert "nobodys" in found.found
    assert found.remedy.startswith("Is there a database nobodys (PACKAGING_REDSHIFT_DATABASE)")


def test_schemas_that_are_not_ours(cloud: Cloud, redshift):
    redshift.run('create schema "raw"; create schema marts', cloud.database)
    assert cloud.one("warehouse privileges").found == "marts, raw there; packaging may create the others"
    redshift._as_superuser(cloud.database, "alter schema marts owner to current_user")
    found = cloud.one("warehouse privileges")
    redshift._as_superuser(cloud.database, 'drop schema marts, "raw"')
    assert found.found == "packaging may not create tables in marts"
    assert found.remedy == 'As an administrator: grant usage, create on schema "marts" to "packaging"'


def test_a_role_that_redshift_may_not_use_for_the_bucket(cloud: Cloud, redshift):
    redshift.faults.inject("failed_statement", matching="unload", message="S3ServiceException:Access Denied,Status 403")
    found = cloud.one("warehouse files")
    assert found.is_ok is False
    assert found.found.startswith(f"UNLOAD or COPY at s3://{cloud.bucket}/live/exchange/doctor-")
    assert "S3ServiceException:Access Denied,Status 403" in found.found
    assert found.remedy == (
        f"Attach {cloud.role} to workgroup packaging, and let it read and write exchange/: WarehouseFilesRole in "
        f"{ROLES} may."
    )


def test_a_port_that_nothing_listens_at(cloud: Cloud):
    found = cloud.one("dbt connection", settings=cloud.settings(redshift_port=1))
    assert found.found == "nothing answers at 127.0.0.1:1: Connection refused"
    assert found.remedy.startswith("Correct PACKAGING_REDSHIFT_HOST and PACKAGING_REDSHIFT_PORT, or open the way: ")
