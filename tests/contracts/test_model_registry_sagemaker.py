"""The registry on SageMaker: what its packages show, decisions from outside, crashes, and what AWS does wrong."""

import json
from collections import Counter

import pytest
from aws_fixtures import IMAGE, REGION
from botocore.exceptions import ClientError
from registry_examples import BY_ADA, WEEKS, race, registration

from packaging_assets.artifacts.s3_objects import S3Objects
from packaging_assets.domain.registry import ConflictError, RegistryError, Status
from packaging_assets.resources.sagemaker_registry_authors import author_of
from packaging_assets.resources.sagemaker_registry_calls import CALL_BACKOFF

APPROVED, REJECTED, PENDING = map(str, (Status.APPROVED, Status.REJECTED, Status.PENDING))


class WatchedObjects:
    """S3's objects, which count what is asked of them; answers can get lost, and errors come."""

    def __init__(self, objects):
        self.objects, self.calls, self.lost_answers, self.errors = objects, Counter(), 0, []

    def uri(self, key):
        return self.objects.uri(key)

    def __getattr__(self, name):
        def call(*args, **given):
            self.calls[name] += 1
            if self.errors:
                raise ClientError({"Error": {"Code": self.errors.pop(), "Message": "no"}}, name)
            answer = getattr(self.objects, name)(*args, **given)
            if name in {"replace", "put_new"} and self.lost_answers:
                self.lost_answers -= 1
                return False  # as S3 answers when boto3 asks again for what was done already
            return answer

        return call


@pytest.fixture
def objects(s3, bucket):
    return WatchedObjects(S3Objects(s3, bucket, "live/registry"))


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def registry(new_sagemaker_registry, objects, pauses):
    return new_sagemaker_registry(objects=objects, sleep=pauses.append)


@pytest.fixture
def service(sagemaker_as):
    """SageMaker as the platform's own role calls it."""
    return sagemaker_as()


@pytest.fixture
def arns(service, registry):
    """The packages of mailer by number."""

    def listed():
        found = service.list_model_packages(ModelPackageGroupName=registry.group("mailer"), SortBy="CreationTime")
        return [package["ModelPackageArn"] for package in found["ModelPackageSummaryList"]]

    return listed


@pytest.fixture
def packages(service, arns):
    """The packages of mailer as SageMaker describes them, by number."""
    return lambda: [service.describe_model_package(ModelPackageName=arn) for arn in arns()]


@pytest.fixture
def studio(sagemaker_stand_in, sagemaker_as, arns):
    """Gives a version another status as somebody else, as SageMaker Studio does; a comment only if there is one."""
    people = sagemaker_stand_in.operations.packages.people

    def give(number, status, comment=None, *, by="bob", identity=None, **more):
        people["KEYOUTSIDE"] = identity or {"UserProfileName": by, "DomainId": "d-1"}
        said = {} if comment is None else {"ApprovalDescription": comment}
        sagemaker_as("KEYOUTSIDE").update_model_package(
            ModelPackageArn=arns()[number - 1], ModelApprovalStatus=str(status), **said, **more
        )

    yield give
    people.clear()


def last_line(registry):
    line = registry.history("mailer")[-1]
    return line.action, line.version, line.actor, line.reason, line.from_champion, line.to_champion


def statuses(packages):
    return [package["ModelApprovalStatus"] for package in packages()]


# What SageMaker shows


def test_a_version_is_a_package_in_the_models_group_with_all_there_is_to_know(registry, packages, service, s3, bucket):
    reasons = ("Drift of width_cm is 0.31, over 0.2.", "Volume is low.")
    registry.register(registration(verdict="pending", reasons=reasons, metrics={"pr_auc": 0.25, "slices": {"a": 1}}))
    (package,) = packages()
    assert (package["ModelPackageVersion"], package["ModelApprovalStatus"]) == (1, PENDING)
    assert package["ModelPackageDescription"] == (
        "mailer 1, trained for 2025-01-06: gates: Drift of width_cm is 0.31, over 0.2. Volume is low."
    )
    properties = package["CustomerMetadataProperties"]
    assert properties["packaging:verdict_reasons"] == "Drift of width_cm is 0.31_ over 0.2. Volume is low."
    assert properties["metric:pr_auc"] == "0.25"
    expected = {
        "training_week": WEEKS[0],
        "fingerprint": "f1",
        "artifact": "mailer/model/2025-01-06/f1",
        "actor": "gates",
    }
    assert {name: properties[f"packaging:{name}"] for name in expected} == expected
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container["Image"] == IMAGE
    source = container["ModelDataSource"]["S3DataSource"]
    assert source["S3Uri"].endswith("/artifacts/mailer/model/2025-01-06/f1/")
    figures = package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    assert figures == f"s3://{bucket}/live/registry/figures/mailer/1.json"
    body = s3.get_object(Bucket=bucket, Key="live/registry/figures/mailer/1.json")["Body"].read()
    assert json.loads(body) == {"pr_auc": 0.25, "slices": {"a": 1}}
    group = service.describe_model_package_group(ModelPackageGroupName=registry.group("mailer"))
    tags = service.list_tags(ResourceArn=group["ModelPackageGroupArn"])["Tags"]
    assert {"Key": "packaging:model", "Value": "mailer"} in tags


def test_a_decision_is_shown_with_who_and_why(registry, packages):
    registry.register(registration(verdict="reject"))
    registry.approve("mailer", 1, **BY_ADA)
    (package,) = packages()
    assert (package["ModelApprovalStatus"], package["ApprovalDescription"]) == (APPROVED, "ada: checked by hand")
    assert package["CustomerMetadataProperties"]["packaging:actor"] == "ada"
    registry.undo("mailer", actor="cyd", reason="not yet")
    (package,) = packages()
    assert (package["ModelApprovalStatus"], package["ApprovalDescription"]) == (REJECTED, "cyd: not yet")


def test_long_and_odd_texts_are_shown_cut_and_kept_whole(registry, packages):
    reason = "ünïcode, “quotes”;\n" * 200
    registry.register(registration(verdict="reject", metrics={f"figure {n}": float(n) for n in range(60)}))
    registry.approve("mailer", 1, actor="ada", reason=reason)
    (package,) = packages()
    assert len(package["ApprovalDescription"]) == 1024
    assert len(package["CustomerMetadataProperties"]) <= 50
    assert registry.history("mailer")[-1].reason == reason


def test_other_peoples_properties_of_a_package_stay(registry, packages, studio):
    registry.register(registration(verdict="pending"))
    studio(1, APPROVED, "the supplier called", CustomerMetadataProperties={"ticket": "PK-7"})
    registry.reconcile("mailer")
    (package,) = packages()
    assert package["CustomerMetadataProperties"]["ticket"] == "PK-7"
    assert package["CustomerMetadataProperties"]["packaging:actor"] == "bob"


def test_how_many_calls_an_operation_makes(registry, objects, sagemaker_stand_in):
    def calls(operation):
        sagemaker_stand_in.calls.clear()
        objects.calls.clear()
        operation()
        return list(sagemaker_stand_in.calls), dict(objects.calls)

    made, of_s3 = calls(lambda: registry.register(registration(verdict="pending")))
    create = ["DescribeModelPackageGroup", "ListModelPackages", "CreateModelPackage"]
    first = ["DescribeModelPackageGroup", "CreateModelPackageGroup", "ListModelPackages", *create[1:]]
    assert (made, of_s3) == (first, {"get": 3, "put_new": 1, "put": 1, "replace": 1})
    made, of_s3 = calls(lambda: registry.register(registration(WEEKS[1])))
    assert (made, of_s3) == (create, {"get": 3, "replace": 2, "put": 1})
    assert calls(lambda: registry.register(registration(WEEKS[1]))) == ([], {"get": 2})
    for read in (
        lambda: registry.champion("mailer"),
        lambda: registry.champion_before("mailer", WEEKS[1]),
        lambda: registry.versions("mailer"),
        lambda: registry.get("mailer", 1),
        lambda: registry.history("mailer"),
        lambda: registry.pinned("mailer"),
    ):
        assert calls(read) == ([], {"get": 1})
    assert calls(registry.models) == ([], {"entries": 1})
    assert calls(registry.versions) == ([], {"entries": 1, "get": 1})
    approve = calls(lambda: registry.approve("mailer", 1, **BY_ADA))
    assert approve == (["DescribeModelPackage"] * 2 + ["UpdateModelPackage"], {"get": 3, "replace": 2})
    assert calls(lambda: registry.pin("mailer", 1, **BY_ADA)) == ([], {"get": 1, "replace": 1})
    assert calls(lambda: registry.unpin("mailer", **BY_ADA)) == ([], {"get": 1, "replace": 1})
    assert calls(lambda: registry.roll_back("mailer", 2, **BY_ADA)) == ([], {"get": 1, "replace": 1})
    registry.reject("mailer", 2, **BY_ADA)
    undo = calls(lambda: registry.undo("mailer", **BY_ADA))
    assert undo == (["DescribeModelPackage", "UpdateModelPackage"], {"get": 2, "replace": 2})
    assert calls(lambda: registry.reconcile("mailer")) == (["ListModelPackages"], {"get": 1})


# Decisions from outside


def reconciled(registry):
    """What is to be told of what was decided outside, once that is taken up."""
    registry.reconcile("mailer")
    return registry.outside_decisions("mailer")


def test_an_approval_in_studio_is_recorded_with_author_and_comment_and_moves_the_champion(registry, studio, packages):
    registry.register(registration(WEEKS[0]))
    registry.register(registration(WEEKS[1], "reject"))
    studio(2, APPROVED, "The drift is the new supplier.")
    assert registry.champion("mailer").version == 1  # nobody has looked yet
    (decision,) = reconciled(registry)
    assert (decision.version, decision.from_status, decision.to_status) == (2, Status.REJECTED, Status.APPROVED)
    assert (decision.actor, decision.reason, decision.is_honoured) == ("bob", "The drift is the new supplier.", True)
    assert registry.champion("mailer").version == 2
    assert last_line(registry) == ("approve", 2, "bob", "The drift is the new supplier.", 1, 2)
    package = packages()[1]
    assert package["ApprovalDescription"] == "bob: The drift is the new supplier."
    assert package["CustomerMetadataProperties"]["packaging:status"] == APPROVED


def test_a_rejection_of_the_champion_in_studio_brings_the_one_before_back_and_can_be_undone(registry, studio):
    for week in WEEKS[:2]:
        registry.register(registration(week))
    studio(2, REJECTED, "Damage reports doubled.")
    registry.reconcile("mailer")
    assert last_line(registry) == ("reject", 2, "bob", "Damage reports doubled.", 2, 1)
    assert registry.undo("mailer", **BY_ADA).version == 2


@pytest.mark.parametrize(
    ("comment", "identity", "why"),
    [
        (None, None, "bob wrote no reason"),
        ("  ", None, "bob wrote no reason"),
        ("fine", {"IamIdentity": {"Arn": "arn:aws:sts::1:assumed-role/nightly/i-0abc"}}, "SageMaker names no person"),
    ],
)
def test_an_approval_without_a_name_or_a_reason_is_set_back(registry, studio, packages, comment, identity, why):
    registry.register(registration(WEEKS[0]))
    registry.register(registration(WEEKS[1], "reject", reasons=("PR-AUC is 0.2, under 0.4.",)))
    studio(2, APPROVED, comment, identity=identity)
    (decision,) = reconciled(registry)
    assert why in decision.refusal
    package = packages()[1]
    assert package["ModelApprovalStatus"] == REJECTED
    assert package["ApprovalDescription"].startswith(f"Set back to Rejected, since Approved does not count. {why}")
    assert registry.champion("mailer").version == 1
    assert len(registry.history("mailer")) == 2
    studio(2, APPROVED, "checked the returns by hand")  # once more, as it should be
    assert [decision.is_honoured for decision in reconciled(registry)] == [False, True]
    assert registry.champion("mailer").version == 2


@pytest.mark.parametrize("is_decided", [False, True])
def test_the_comment_of_an_earlier_decision_is_no_reason(registry, studio, packages, is_decided):
    registry.register(registration(verdict="reject"))
    if is_decided:
        registry.approve("mailer", 1, **BY_ADA)
    studio(1, REJECTED if is_decided else APPROVED)
    (decision,) = reconciled(registry)
    assert "bob wrote no reason" in decision.refusal
    assert statuses(packages) == [APPROVED if is_decided else REJECTED]


def test_what_the_rules_do_not_allow_is_set_back(registry, studio, packages):
    registry.register(registration(WEEKS[0]))
    registry.register(registration(WEEKS[1], "pending", stage="shadow"))
    registry.pin("mailer", 1, **BY_ADA)
    studio(1, REJECTED, "no good")
    studio(2, APPROVED, "let it serve")
    refusals = [decision.refusal for decision in reconciled(registry)]
    assert refusals[0].startswith("Version 1 of mailer is pinned by ada")
    assert "was judged as a shadow" in refusals[1]
    registry.unpin("mailer", **BY_ADA)
    studio(1, PENDING, "wait")
    assert "cannot go back to PendingManualApproval" in reconciled(registry)[-1].refusal
    assert statuses(packages) == [APPROVED, PENDING]


def test_outside_decisions_are_given_back_until_they_are_acknowledged(registry, studio):
    registry.register(registration(verdict="pending"))
    studio(1, APPROVED, "fine")
    first = reconciled(registry)
    assert reconciled(registry) == first
    registry.acknowledge(first)
    registry.acknowledge(first)
    assert reconciled(registry) == []


def test_an_outside_decision_seen_by_many_counts_once(registry, studio):
    registry.register(registration(verdict="reject"))
    studio(1, APPROVED, "fine")
    results = race([lambda: reconciled(registry)] * 4)
    assert {tuple(result) for result in results} == {tuple(registry.outside_decisions("mailer"))}
    assert [line.action for line in registry.history("mailer")] == ["register", "approve"]


def test_who_decides_here_is_told_who_decided_outside_before(registry, studio):
    registry.register(registration(verdict="pending"))
    studio(1, REJECTED, "drift")
    with pytest.raises(ConflictError, match="no longer PendingManualApproval: bob made it Rejected"):
        registry.approve("mailer", 1, **BY_ADA, expected_status=Status.PENDING)
    assert [line.actor for line in registry.history("mailer")] == ["gates", "bob"]


def test_a_package_whose_properties_were_removed_is_known_by_the_ledger(registry, studio, packages):
    registry.register(registration(verdict="pending"))
    ours = list(packages()[0]["CustomerMetadataProperties"])
    studio(1, APPROVED, "fine", CustomerMetadataPropertiesToRemove=ours)
    (decision,) = reconciled(registry)
    assert decision.is_honoured
    assert packages()[0]["CustomerMetadataProperties"]["packaging:status"] == APPROVED


@pytest.mark.parametrize(
    ("context", "name"),
    [
        (None, ""),
        ({"UserProfileName": "ada"}, "ada"),
        ({"IamIdentity": {"Arn": "arn:aws:iam::1:user/team/ada"}}, "ada"),
        ({"IamIdentity": {"Arn": "arn:aws:sts::1:assumed-role/AWSReservedSSO_Review_1f/ada@shop.com"}}, "ada@shop.com"),
        ({"IamIdentity": {"Arn": "arn:aws:sts::1:assumed-role/packaging-live-reviewer/ada"}}, "ada"),
        ({"IamIdentity": {"Arn": "arn:aws:sts::1:assumed-role/packaging-live-run/ada"}}, ""),
        ({"IamIdentity": {"Arn": "arn:aws:sts::1:assumed-role/etl/1", "SourceIdentity": "ada"}}, "ada"),
        ({"IamIdentity": {"Arn": "arn:aws:iam::1:root"}}, ""),
        ({"DomainId": "d-1"}, ""),
    ],
)
def test_whom_sagemaker_names(context, name):
    assert author_of(context) == name


# Crashes, and what AWS does wrong


@pytest.mark.parametrize("fault", ["throttle", "error", "lost_answer", "twice"])
def test_every_call_may_go_wrong_once(registry, sagemaker_stand_in, packages, pauses, fault):
    def inject(*operations):
        for operation in operations:
            sagemaker_stand_in.faults.inject(fault, operation)

    inject("DescribeModelPackageGroup", "ListModelPackages", "CreateModelPackage")
    registry.register(registration(verdict="pending"))
    inject("DescribeModelPackage", "UpdateModelPackage")
    registry.approve("mailer", 1, **BY_ADA)
    inject("ListModelPackages")
    assert reconciled(registry) == []
    assert statuses(packages) == [APPROVED]
    assert [line.action for line in registry.history("mailer")] == ["register", "approve"]
    assert (len(pauses) == 0) == (fault == "twice")
    assert sagemaker_stand_in.faults.waiting() == []


def test_without_sagemaker_nothing_is_begun(registry, sagemaker_stand_in, objects):
    sagemaker_stand_in.faults.inject("error", "DescribeModelPackageGroup", times=CALL_BACKOFF.attempts)
    with pytest.raises(RegistryError, match=r"Cannot find the model package group .*-mailer: AWS failed 5 times"):
        registry.register(registration())
    assert registry.versions() == []
    registry.register(registration(verdict="pending"))
    sagemaker_stand_in.faults.inject("throttle", "DescribeModelPackage", times=CALL_BACKOFF.attempts)
    with pytest.raises(RegistryError, match="Cannot describe the model package"):
        registry.approve("mailer", 1, **BY_ADA)
    assert registry.get("mailer", 1).status is Status.PENDING


def test_what_is_decided_stands_though_sagemaker_does_not_show_it_yet(registry, sagemaker_stand_in, packages, caplog):
    registry.register(registration(verdict="pending"))
    sagemaker_stand_in.faults.inject("error", "UpdateModelPackage", times=CALL_BACKOFF.attempts)
    assert registry.approve("mailer", 1, **BY_ADA).status is Status.APPROVED
    assert "SageMaker does not show it yet" in caplog.text
    assert statuses(packages) == [PENDING]
    assert reconciled(registry) == []  # it is known that this is not somebody's decision
    assert statuses(packages) == [APPROVED]


def test_versions_whose_packages_could_not_be_made_get_them_later_in_order(registry, sagemaker_stand_in, packages):
    registry.register(registration(WEEKS[0]))
    sagemaker_stand_in.faults.inject("error", "CreateModelPackage", times=CALL_BACKOFF.attempts)
    registry.register(registration(WEEKS[1]))
    assert (registry.champion("mailer").version, len(packages())) == (2, 1)
    registry.register(registration(WEEKS[2]))
    weeks = [package["CustomerMetadataProperties"]["packaging:training_week"] for package in packages()]
    assert weeks == list(WEEKS)


def test_a_package_of_a_process_that_was_killed_is_found_again(registry, objects, packages, new_sagemaker_registry):
    registry.register(registration(WEEKS[0]))

    class KilledError(BaseException):
        pass

    class Dying:
        """Objects of a process that is killed after it has made the package, before it can say so."""

        def __getattr__(self, name):
            return getattr(objects, name)

        def replace(self, key, body, *, etag):
            if self.writes:
                raise KilledError
            self.writes += 1
            return objects.replace(key, body, etag=etag)

        writes = 0

    groups = registry.group("mailer").removesuffix("-mailer")
    dying = new_sagemaker_registry(objects=Dying(), groups=groups)
    with pytest.raises(KilledError):
        dying.register(registration(WEEKS[1]))
    assert (len(packages()), registry.champion("mailer").version) == (2, 2)
    registry.reconcile("mailer")
    assert len(packages()) == 2
    registry.reject("mailer", 2, **BY_ADA)
    assert statuses(packages) == [APPROVED, REJECTED]


def test_a_lost_answer_of_s3_is_neither_a_conflict_nor_a_second_decision(registry, objects):
    objects.lost_answers = 1
    registry.register(registration(verdict="pending"))
    objects.lost_answers = 1
    registry.approve("mailer", 1, **BY_ADA, expected_status=Status.PENDING)
    objects.lost_answers = 1
    registry.pin("mailer", 1, **BY_ADA, expected_decisions=1)
    assert [line.action for line in registry.history("mailer")] == ["register", "approve", "pin"]


def test_s3_is_asked_again_while_it_is_slow_and_not_when_it_refuses(registry, objects, pauses):
    registry.register(registration())
    objects.errors = ["SlowDown", "ServiceUnavailable"]
    assert registry.champion("mailer").version == 1
    assert len(pauses) == 2
    objects.errors = ["AccessDenied"]
    with pytest.raises(RegistryError, match="Cannot read the record of mailer: AWS answers AccessDenied"):
        registry.champion("mailer")


def test_a_deleted_package_is_told_and_its_version_can_still_be_rejected(registry, service, packages, studio):
    for week in WEEKS[:2]:
        registry.register(registration(week))
    gone = packages()[0]["ModelPackageArn"]
    studio(2, REJECTED, "drift")
    service.delete_model_package(ModelPackageName=gone)
    with pytest.raises(RegistryError, match=f"Cannot describe the model package {gone}"):
        registry.reconcile("mailer")
    assert [decision.version for decision in registry.outside_decisions("mailer")] == [2]
    registry.reject("mailer", 1, **BY_ADA)
    assert registry.champion("mailer") is None


def test_a_record_that_is_none_is_told(registry, objects):
    registry.register(registration())
    for body, said in (
        (b"{}", "is no record of a model"),
        (b'{"layout": 9}', "has layout 9, and this version reads 1"),
    ):
        objects.put("models/mailer.json", body)
        with pytest.raises(RegistryError, match=rf"models/mailer\.json {said}"):
            registry.champion("mailer")


def test_a_lost_record_is_not_begun_anew(registry, objects):
    registry.register(registration())
    objects.delete(["models/mailer.json"])
    assert registry.champion("mailer") is None
    with pytest.raises(RegistryError, match=r"SageMaker has 1 versions of mailer, and their record below .* is gone"):
        registry.register(registration(WEEKS[1]))


# Groups


def test_a_package_made_by_hand_is_left_alone_and_takes_a_number(registry, service, packages):
    group = registry.group("mailer")
    service.create_model_package_group(ModelPackageGroupName=group, ModelPackageGroupDescription="ours")
    service.create_model_package(ModelPackageGroupName=group, ModelApprovalStatus=APPROVED)
    assert registry.register(registration(verdict="reject")).version == 1
    assert registry.approve("mailer", 1, **BY_ADA).version == 1
    assert reconciled(registry) == []
    numbers = [
        (p["ModelPackageVersion"], p.get("CustomerMetadataProperties", {}).get("packaging:version")) for p in packages()
    ]
    assert numbers == [(1, None), (2, "1")]


def test_groups_of_another_account_are_named_by_arn_and_must_be_there(registry, new_sagemaker_registry, service):
    arn = f"arn:aws:sagemaker:{REGION}:123456789012:model-package-group/{registry.group('')}-two"
    other = new_sagemaker_registry(groups=arn)
    with pytest.raises(RegistryError, match=f"Cannot find the model package group {arn}-mailer: AWS answers"):
        other.register(registration())
    name = other.group("mailer").rpartition("/")[2]
    service.create_model_package_group(ModelPackageGroupName=name, ModelPackageGroupDescription="theirs")
    other.register(registration(verdict="pending"))
    assert other.approve("mailer", 1, **BY_ADA).status is Status.APPROVED
    assert reconciled(other) == []
    (package,) = service.list_model_packages(ModelPackageGroupName=name)["ModelPackageSummaryList"]
    assert package["ModelApprovalStatus"] == APPROVED


def test_a_models_name_becomes_a_group_that_sagemaker_takes(new_sagemaker_registry):
    registry = new_sagemaker_registry(groups="live_env.2")
    assert registry.group("padded_mailer") == "live-env-2-padded-mailer"
    with pytest.raises(RegistryError, match="would have 77 characters, and SageMaker takes 63"):
        registry.register(registration(model="m" * 66))


def test_two_who_make_the_group_at_once_agree(registry, packages):
    versions = race([lambda n=n: registry.register(registration(WEEKS[n])) for n in range(3)])
    assert sorted(version.version for version in versions) == [1, 2, 3]
    assert [package["ModelPackageVersion"] for package in packages()] == [1, 2, 3]
