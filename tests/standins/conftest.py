"""The stand-ins' own tests, and their fixtures."""

from aws_fixtures import *  # noqa: F403 - fixtures are found by being there
from redshift_fixtures import *  # noqa: F403 - likewise
