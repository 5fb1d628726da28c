"""`packaging doctor` and topics, queues and figures, for each thing that can be wrong with them."""

from aws_fixtures import REGION
from cloud_in_order import ACCOUNT, Cloud, _client

from packaging_assets.doctor.check import Finding

DATA = "deploy/cloudformation/data.yaml"


def test_a_topic_that_is_gone_not_set_or_that_nobody_hears(cloud: Cloud):
    missing = f"arn:aws:sns:{REGION}:{ACCOUNT}:nobodys"
    gone = cloud.one("error topic", settings=cloud.settings(error_topic_arn=missing))
    assert gone == Finding(
        "error topic",
        is_ok=False,
        found=f"there is no topic {missing}",
        remedy=f"Set PACKAGING_ERROR_TOPIC_ARN to the export packaging-<environment>-errors of {DATA}.",
    )
    none = cloud.one("warning topic", settings=cloud.settings(warning_topic_arn=""))
    assert (none.is_ok, none.found) == (True, "none: alerts go to the log and the routes of the settings")
    assert none.remedy == f"Set PACKAGING_WARNING_TOPIC_ARN to the export packaging-<environment>-warnings of {DATA}."
    lonely = cloud.one("warning topic")
    assert (lonely.is_ok, lonely.found) == (True, f"{cloud.topics['warning']}, which nobody has subscribed to")


def test_a_queue_that_is_gone_not_set_or_keeps_the_unreadable(cloud: Cloud):
    missing = cloud.queue + "-gone"
    gone = cloud.one("trigger queue", settings=cloud.settings(trigger_queue_url=missing))
    assert gone.found == f"there is no queue {missing}"
    none = cloud.one("trigger queue", settings=cloud.settings(trigger_queue_url=""))
    assert none == Finding("trigger queue", is_ok=True, found="none: trigger files are listed")
    bare = cloud.one("trigger queue", settings=cloud.settings(trigger_queue_url=cloud.queue + "-unread"))
    assert bare.is_ok
    assert bare.remedy.startswith("Give it a dead-letter queue")


def test_a_service_that_is_out_of_reach(cloud: Cloud, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setitem(cloud.clients, "cloudwatch", _client("cloudwatch"))
    found = cloud.one("figures")
    assert found.found == 'Could not connect to the endpoint URL: "http://127.0.0.1:1/"'
    assert found.remedy.startswith("Is PACKAGING_AWS_REGION right, and the network open")


def test_figures_can_be_off(cloud: Cloud):
    assert cloud.one("figures", settings=cloud.settings(metrics_namespace="")).found == (
        "off: PACKAGING_METRICS_NAMESPACE is empty"
    )
