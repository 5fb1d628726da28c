"""An Amazon Redshift on this machine: PostgreSQL with Redshift's protocol, dialect and Data API; see ../README.md."""
