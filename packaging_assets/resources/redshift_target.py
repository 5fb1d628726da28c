"""Which database of Redshift the platform uses, and as whom."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RedshiftTarget:
    """Which database, and as whom.

    With neither user nor secret, a workgroup makes a database user after the IAM identity of the process.

    Attributes:
        database: its name.
        workgroup: of Redshift Serverless; or
        cluster: the identifier of a provisioned cluster.
        user: the database user for which temporary credentials are asked for; of a cluster only.
        secret_arn: the secret in Secrets Manager with user and password.

    Raises:
        ValueError: the settings contradict each other.
    """

    database: str
    workgroup: str = ""
    cluster: str = ""
    user: str = ""
    secret_arn: str = ""

    def __post_init__(self) -> None:
        if bool(self.workgroup) == bool(self.cluster):
            raise ValueError(
                f"redshift_workgroup is {self.workgroup!r} and redshift_cluster is {self.cluster!r}; set exactly one: "
                "the workgroup of Redshift Serverless, or the cluster"
            )
        if self.user and self.workgroup and not self.secret_arn:
            raise ValueError(
                f"redshift_user is {self.user!r}, but with redshift_workgroup the user follows from the IAM role; "
                "leave redshift_user empty"
            )
        if self.cluster and not (self.user or self.secret_arn):
            raise ValueError(
                f"redshift_cluster is {self.cluster!r} and redshift_user is empty; name the database user for whom the "
                "cluster is asked for temporary credentials, or set redshift_secret_arn"
            )

    @property
    def arguments(self) -> dict[str, str]:
        """What every call that submits a statement says."""
        given = {
            "Database": self.database,
            "WorkgroupName": self.workgroup,
            "ClusterIdentifier": self.cluster,
            # The secret says who it is for.
            "DbUser": "" if self.secret_arn else self.user,
            "SecretArn": self.secret_arn,
        }
        return {name: value for name, value in given.items() if value}

    def __str__(self) -> str:
        return f"The warehouse {self.database} in Redshift {self.workgroup or self.cluster}"
