"""Trigger files and a look at them: each file launches exactly what it asks for, exactly once, or nothing."""

import datetime as dt
import errno
import functools
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from trigger_homes import Home, LocalHome, S3Home

from packaging_assets.components.model_set import ModelSet
from packaging_assets.components.model_spec import ModelSpec
from packaging_assets.defs.triggers.look import LAUNCH_PATIENCE, Outcome
from packaging_assets.defs.triggers.plan import plan_runs
from packaging_assets.domain.triggers import parse_trigger
from packaging_assets.resources import trigger_folder
from packaging_assets.settings import load_settings

TRAIN = {"pipeline": "train", "partition": "2025-01-13", "models": ["mailer"]}


@pytest.fixture(params=["local", "s3", "s3 with a queue"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """Where files lie must not matter."""
    if request.param == "local":
        yield LocalHome(tmp_path)
        return
    client, bucket = request.getfixturevalue("s3"), request.getfixturevalue("bucket")
    queue = request.getfixturevalue("trigger_queue") if "queue" in request.param else None
    yield S3Home(tmp_path, client, bucket, queue=queue)


@pytest.fixture
def folder(tmp_path: Path) -> LocalHome:
    return LocalHome(tmp_path)


def test_a_file_launches_its_run_and_goes_to_done_with_the_runs_id(home: Home):
    home.drop(TRAIN)

    first, second, third = home.look(), home.look(), home.look()

    (launch,) = first.launches
    assert (launch.run.job, launch.run.partition, launch.run.groups) == ("weekly", "2025-01-13", ("box", "mailer"))
    assert launch.run.tags == {"packaging/trigger": launch.trigger}
    assert second.done == {launch.trigger: {"2025-01-13": "run-2025-01-13"}}
    assert second.launches == third.launches == []
    short = launch.trigger[:12]
    assert home.files() == home.files("taken") == home.files("rejected") == []
    assert home.files("done") == [f"{short}-request.json", f"{short}-request.json.run.json"]
    assert home.json(f"done/{short}-request.json") == TRAIN
    assert home.json(f"done/{short}-request.json.run.json") == {
        "trigger": launch.trigger,
        "runs": {"2025-01-13": "run-2025-01-13"},
    }
    assert home.alerts == []


def test_each_partition_is_a_run_of_its_own_with_overrides_and_reason_in_its_tags(home: Home):
    overrides = {"mailer": {"parameters.depth": 5}}
    home.drop(
        {
            "pipeline": "train",
            "partitions": ["2025-01-20", "2025-01-06"],
            "overrides": overrides,
            "use_cache": False,
            "requested_by": "ana",
            "reason": "deeper",
        }
    )

    launches = home.look().launches

    assert [launch.run.partition for launch in launches] == ["2025-01-06", "2025-01-20"]
    for launch in launches:
        assert launch.run.groups == ()
        assert json.loads(launch.run.tags["packaging/overrides"]) == overrides
        assert launch.run.tags["packaging/no_cache"] == "true"
        assert launch.run.tags["packaging/requested_by"] == "ana"
        assert launch.run.tags["packaging/reason"] == "deeper"


def test_a_run_that_was_lost_is_asked_for_again_after_a_while_and_only_that_one(home: Home):
    home.drop({"pipeline": "daily", "partitions": ["2025-01-07", "2025-01-08"]})
    (first, _) = home.look(does_launch=False).launches
    home.runs[first.trigger] = {"2025-01-07": "run-a"}

    assert home.look().launches == []
    home.later = 2 * LAUNCH_PATIENCE
    again = home.look(does_launch=False).launches

    assert [launch.run.partition for launch in again] == ["2025-01-08"]


def test_what_a_model_feeds_from_by_way_of_others_is_trained_before_it(tmp_path: Path):
    chain = [
        ModelSpec(package_type="box"),
        ModelSpec(package_type="mailer", feeds_from=("box",)),
        ModelSpec(package_type="bag", feeds_from=("mailer",)),
        ModelSpec(package_type="sioc"),
    ]
    trigger = parse_trigger(json.dumps({**TRAIN, "models": ["bag"]}).encode())
    settings = load_settings(tmp_path, first_week=dt.date(2025, 1, 6), last_day=dt.date(2025, 2, 2))
    (run,) = plan_runs(trigger, ModelSet.of(chain), settings)
    assert run.groups == ("box", "mailer", "bag")


def test_a_lost_run_is_asked_for_again_once_and_then_waited_for(folder: LocalHome):
    folder.drop(TRAIN)
    folder.look(does_launch=False)
    (taken,) = (folder.root / "taken").glob("*.json")
    long_ago = (dt.datetime.now(dt.UTC) - 2 * LAUNCH_PATIENCE).timestamp()
    os.utime(taken, (long_ago, long_ago))

    assert [launch.run.partition for launch in folder.look(does_launch=False).launches] == ["2025-01-13"]
    assert folder.look(does_launch=False).launches == []


def test_a_file_that_another_sensor_has_moved_meanwhile_is_no_trouble(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(home.store, "waiting", lambda _most: ["moved.json"])

    assert home.look() == Outcome()


def test_a_half_written_file_is_waited_for_and_launches_when_it_is_whole(home: Home):
    whole = json.dumps(TRAIN).encode()
    home.drop(whole[:30])
    waiting = home.look()
    home.drop(whole)

    assert waiting.unfinished == ["request.json"]
    assert waiting.launches == []
    assert [launch.run.partition for launch in home.look().launches] == ["2025-01-13"]
    assert home.alerts == []


def test_a_file_that_stays_half_written_is_rejected_in_the_end_and_told_of_once(home: Home):
    home.drop(b'{"pipeline": "train"')
    home.later = dt.timedelta(seconds=30)

    outcome = home.look()
    home.look()

    assert outcome.launches == []
    (place,) = outcome.rejected
    assert place.endswith("request.json")
    assert home.files("rejected") == [place, f"{place}.error.txt"]
    said = home.read(f"rejected/{place}.error.txt").decode()
    assert said.startswith("The file is not JSON: Expecting ',' delimiter")
    assert [alert.failures[0].headline for alert in home.alerts] == ["a trigger file was rejected"]
    assert home.alerts[0].failures[0].remedy == f"Correct triggers/rejected/{place} and drop it again."


def test_a_file_that_is_rejected_again_under_its_name_is_told_of_again(folder: LocalHome):
    for minute in (0, 1):
        folder.drop([], "bad.json")
        os.utime(folder.root / "bad.json", (60 * minute, 60 * minute))
        folder.look()

    assert [alert.failure_keys for alert in folder.alerts] == [("trigger:bad.json:0.0",), ("trigger:bad.json:60.0",)]


@pytest.mark.parametrize(
    ("pipeline", "partition", "job"),
    [("train", "2025-01-13", "weekly"), ("daily", "2025-01-13", "daily"), ("monthly", "2025-01-01", "monthly")],
)
def test_each_pipeline_is_a_job_of_its_own(folder: LocalHome, pipeline: str, partition: str, job: str):
    folder.drop({"pipeline": pipeline, "partition": partition})

    (launch,) = folder.look().launches

    assert (launch.run.job, launch.run.partition) == (job, partition)


def test_files_still_being_copied_under_another_name_are_left_alone(home: Home):
    for name in (".request.json", "request.json.tmp", "request.part"):
        home.drop(TRAIN, name)

    assert home.look() == Outcome()
    assert home.files() == [".request.json", "request.json.tmp", "request.part"]


def test_the_same_request_again_launches_nothing_while_it_runs_and_after(home: Home):
    home.drop(TRAIN, "a.json")
    home.drop(dict(reversed(TRAIN.items())), "b.json")
    first = home.look()
    home.look()
    home.drop(TRAIN, "c.json")
    last = home.look()

    assert len(first.launches) == 1
    (place,) = first.rejected
    assert place.endswith("b.json")
    assert first.rejected[place] == ["The same is being launched already, for another file."]
    assert last.launches == []
    ((problem,),) = last.rejected.values()
    assert problem == (
        "The same was launched before, as run run-2025-01-13 (2025-01-13). To run it again on purpose, say so in "
        "`reason`."
    )
    home.drop({**TRAIN, "reason": "the labels were corrected"}, "d.json")
    assert len(home.look().launches) == 1


@pytest.mark.parametrize(
    ("request_fields", "problem"),
    [
        ({**TRAIN, "partition": "2025-01-14"}, "partition = '2025-01-14': train has no such partition; they go from"),
        ({**TRAIN, "models": ["mailer; drop table x"]}, "models: there is no model 'mailer; drop table x'; there is"),
        ({**TRAIN, "models": ["mialer"]}, "models: there is no model 'mialer'; did you mean 'mailer'?"),
        ({**TRAIN, "models": ["../box"]}, "models: there is no model '../box'; did you mean 'box'?"),
        ({**TRAIN, "overrides": {"mailer": {"split.validation_fraction": 7}}}, "overrides: mailer: split.validation"),
        ({**TRAIN, "overrides": {"mailer": {"owners": ["me"]}}}, "overrides: owners says what the model is"),
        (
            {**TRAIN, "overrides": {"mailer": {"architecture": "this.x:Y"}}},
            "`overrides` of 'mailer' names code by arch",
        ),
        (
            {**TRAIN, "overrides": {"mailer": {"parameters.depht": 3}}},
            "overrides: mailer: unknown CatBoost parameter 'depht'; did you mean 'depth'?",
        ),
        (
            {**TRAIN, "overrides": {"mailer": {"parameters.output_borders": "/etc/cron.d/x"}}},
            "overrides: mailer: CatBoost parameter 'output_borders' cannot be set: training writes no files but the",
        ),
        (
            {**TRAIN, "overrides": {"mailer": {"features": "multimodal"}}},
            "overrides: mailer: architecture 'catboost' takes no text features (title); it takes categorical, ",
        ),
        ({**TRAIN, "overrides": {"box": {"seed": 2}}}, "overrides: 'box' is not among `models`."),
        ({**TRAIN, "overrides": {"mailer": {"split.seed": 2}}}, "overrides: model 'mailer' feeds from 'box', but its"),
        ({**TRAIN, "reason": "a\x00b"}, "`requested_by` or `reason` holds a NUL character"),
        ({**TRAIN, "requested_by": "\x00"}, "`requested_by` or `reason` holds a NUL character"),
        ({"pipeline": "monthly", "partition": "2025-01-13"}, "partition = '2025-01-13': monthly has no such"),
    ],
)
def test_what_cannot_be_done_launches_nothing_and_says_why(home: Home, request_fields: object, problem: str):
    home.drop(request_fields)

    outcome = home.look()

    assert outcome.launches == []
    (problems,) = outcome.rejected.values()
    assert problems[0].startswith(problem)
    assert len(home.alerts) == 1


class Broken:
    """An architecture that fails in a way of its own."""

    fit = prepare = predict_proba = save = load = feature_importance = lambda *_: None

    def __init__(self, *given: Any) -> None:
        raise KeyError(*given[1])


def test_an_architecture_of_ones_own_that_fails_refuses_the_file_and_not_the_look(
    home: Home, monkeypatch: pytest.MonkeyPatch
):
    broken = ModelSpec(package_type="mailer", architecture=f"{__name__}:Broken")
    monkeypatch.setattr("trigger_homes.MODELS", ModelSet.of([broken]))
    home.drop({**TRAIN, "overrides": {"mailer": {"parameters.depth": 3}}})

    outcome = home.look()

    assert (outcome.launches, outcome.trouble) == ([], [])
    assert list(outcome.rejected.values()) == [("overrides: mailer: KeyError: 'depth'",)]


SYMBOLIC_LINK = {"request.json": ["It cannot be read: Too many levels of symbolic links."]}


@pytest.mark.parametrize(
    ("replace", "rejected", "unfinished"),
    [(lambda path: path.symlink_to("/etc/hostname"), SYMBOLIC_LINK, []), (os.mkfifo, {}, ["request.json"])],
)
def test_what_a_file_is_replaced_by_after_it_was_looked_at_is_not_read(
    folder: LocalHome,
    monkeypatch: pytest.MonkeyPatch,
    replace: Callable[[Path], None],
    rejected: dict[str, list[str]],
    unfinished: list[str],
):
    replace(folder.root / "request.json")
    monkeypatch.setattr(trigger_folder.stat, "S_ISREG", lambda _: True)  # it was a plain file a moment ago

    outcome = folder.look()

    assert (outcome.rejected, outcome.unfinished, outcome.trouble) == (rejected, unfinished, [])


def test_what_was_rejected_before_is_not_written_over_though_its_reasons_were_deleted(folder: LocalHome):
    for content in (b"[1]", b"[2]"):
        folder.drop(content, "bad.json")
        folder.look()
        (folder.root / "rejected" / "bad.json.error.txt").unlink(missing_ok=True)

    assert folder.files("rejected") == ["1-bad.json", "1-bad.json.error.txt", "bad.json"]
    assert [folder.read(f"rejected/{name}") for name in ("bad.json", "1-bad.json")] == [b"[1]", b"[2]"]


def test_links_folders_and_devices_are_put_aside_untouched(folder: LocalHome, tmp_path: Path):
    outside = tmp_path / "outside.json"
    outside.write_text(json.dumps(TRAIN))
    (folder.root / "link.json").symlink_to(outside)
    (folder.root / "folder.json").mkdir()
    os.mkfifo(folder.root / "pipe.json")

    outcome = folder.look()

    assert outcome.launches == []
    assert sorted(outcome.rejected) == ["folder.json", "link.json", "pipe.json"]
    assert json.loads(outside.read_text()) == TRAIN
    assert (folder.root / "rejected" / "link.json").is_symlink()


def test_other_kinds_of_file_and_huge_ones_are_put_aside(home: Home):
    home.drop(TRAIN, "request.yaml")
    home.drop(b" " * 70_000, "huge.json")
    home.drop(b"", "empty.json")
    home.later = dt.timedelta(seconds=30)

    outcome = home.look()

    assert outcome.launches == []
    problems = sorted(problem for problems in outcome.rejected.values() for problem in problems)
    assert problems == [
        "Its name does not end in .json, and triggers are JSON.",
        "The file has 65,537 bytes or more; a trigger has at most 65,536.",
        "The file is not JSON: Expecting value: line 1 column 1 (char 0).",
    ]
    assert home.files() == []
    assert len(home.alerts) == 3


def test_a_file_whose_name_is_like_ours_harms_nobody(home: Home):
    for name in ("a.run.json", "b.error.txt", "taken.json"):
        home.drop({**TRAIN, "reason": name}, name)

    first = home.look()
    home.look()
    home.drop({**TRAIN, "reason": "a.run.json"}, "a.run.json")
    last = home.look()

    assert sorted(launch.run.tags["packaging/reason"] for launch in first.launches) == ["a.run.json", "taken.json"]
    ((problem,),) = last.rejected.values()
    assert problem.startswith("The same was launched before, as run run-2025-01-13 (2025-01-13).")
    contents = home.store.contents(10)
    assert [sorted(runs) for runs in contents.done.values()] == [["2025-01-13"]] * 2
    assert sorted(len(problems) for problems in contents.rejected.values()) == [1, 1]


def test_a_file_whose_name_is_not_utf_8_launches_at_the_first_look(folder: LocalHome):
    folder.drop(TRAIN, os.fsdecode(b"b\xe4d.json"))

    first, second = folder.look(), folder.look()

    (launch,) = first.launches
    assert (first.trouble, second.done) == ([], {launch.trigger: {"2025-01-13": "run-2025-01-13"}})
    short = launch.trigger[:12]
    assert folder.files("done") == [f"{short}-b_d.json", f"{short}-b_d.json.run.json"]


def test_a_damaged_reason_of_a_rejection_does_not_keep_the_others_from_being_listed(folder: LocalHome):
    folder.drop(b"[]", "list.json")
    folder.look()
    (folder.root / "rejected" / "damaged.json.error.txt").write_bytes(b"\xff")
    assert {name: len(problems) for name, problems in folder.store.contents(9).rejected.items()} == {
        "damaged.json": 1,
        "list.json": 1,
    }


def test_names_cannot_leave_the_folder_or_write_over_what_was_rejected_before(folder: LocalHome):
    for _ in range(2):
        folder.drop(b"[]", "a..\n$(x)é.json")
        folder.look()

    assert {path.stat().st_mode & 0o111 for path in (folder.root / "rejected").iterdir()} == {0}
    assert folder.files("rejected") == [
        "1-a..___x__.json",
        "1-a..___x__.json.error.txt",
        "a..___x__.json",
        "a..___x__.json.error.txt",
    ]


def test_of_many_sensors_at_once_exactly_one_launches_each_file(home: Home):
    for number in range(8):
        home.drop({**TRAIN, "reason": f"number {number}"}, f"{number:02}.json")
    launches: list[str] = []
    start = threading.Barrier(4)

    def sensor() -> None:
        store = home.new_store()
        start.wait()
        for _ in range(2):
            launches.extend(launch.trigger for launch in home.look(does_launch=False, store=store).launches)

    threads = [threading.Thread(target=sensor) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(launches) == len(set(launches)) == 8
    assert home.alerts == []
    assert len([name for name in home.files("taken") if name.endswith(".json")]) == 8
    assert home.files() == []


def test_a_trouble_with_one_file_does_not_keep_the_others_waiting(home: Home, monkeypatch: pytest.MonkeyPatch):
    home.drop({**TRAIN, "reason": "a"}, "a.json")
    home.drop({**TRAIN, "reason": "b"}, "b.json")
    take = type(home.store).take

    def refuse_a(self: object, name: str, identity: str, content: bytes) -> bool:
        if name == "a.json":
            raise PermissionError(13, "Permission denied")
        return take(self, name, identity, content)

    monkeypatch.setattr(type(home.store), "take", refuse_a)

    outcome = home.look()

    assert len(outcome.launches) == 1
    assert outcome.trouble == ["'a.json': PermissionError: [Errno 13] Permission denied"]
    assert home.files() == ["a.json"]


def test_a_sensor_killed_between_taking_and_tidying_launches_once(folder: LocalHome):
    folder.drop(TRAIN)
    content = (folder.root / "request.json").read_bytes()
    (launch,) = folder.look(does_launch=False).launches
    os.link(folder.root / "taken" / f"{launch.trigger}.json", folder.root / "request.json")
    assert content == (folder.root / "request.json").read_bytes()

    again = folder.look()

    assert again.launches == []
    assert again.rejected == {}
    assert folder.files() == []


def test_a_file_that_lay_for_long_is_not_lost_in_the_moment_in_which_it_is_taken(
    folder: LocalHome, monkeypatch: pytest.MonkeyPatch
):
    folder.drop(TRAIN)
    dropped_at = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)).timestamp()
    os.utime(folder.root / "request.json", (dropped_at, dropped_at))
    really_link, others = os.link, list[Outcome]()

    def look_meanwhile(source: Path, target: Path, **options: bool) -> None:
        really_link(source, target, **options)
        others.append(folder.look(does_launch=False, store=folder.new_store()))

    monkeypatch.setattr(os, "link", look_meanwhile)
    first = folder.look()
    assert [launch.run.partition for launch in first.launches] == ["2025-01-13"]
    assert [other.launches for other in others] == [[]]


def test_a_full_disk_fills_the_rejected_with_nothing(folder: LocalHome, monkeypatch: pytest.MonkeyPatch):
    folder.drop([], "bad.json")

    def take_nothing(self: Path, text: str) -> int:
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", take_nothing)
        for _ in range(2):
            assert folder.look().trouble == ["'bad.json': OSError: [Errno 28] No space left on device"]
    assert (folder.files(), folder.files("rejected"), folder.alerts) == (["bad.json"], [], [])
    assert list(folder.look().rejected) == ["bad.json"]
    assert folder.files("rejected") == ["bad.json", "bad.json.error.txt"]


def test_a_file_that_another_sensor_puts_aside_meanwhile_is_there_once(
    folder: LocalHome, monkeypatch: pytest.MonkeyPatch
):
    folder.drop([], "bad.json")
    really_write, other = Path.write_text, folder.new_store()

    def reject_meanwhile(self: Path, text: str) -> int:
        with monkeypatch.context() as patched:
            patched.setattr(Path, "write_text", really_write)
            other.reject("bad.json", ["It was the other one."])
        return really_write(self, text)

    monkeypatch.setattr(Path, "write_text", reject_meanwhile)
    assert folder.look() == Outcome()
    assert folder.store.contents(10).rejected == {"1-bad.json": ["It was the other one."]}
    assert folder.files("rejected") == ["1-bad.json", "1-bad.json.error.txt"]


def test_a_name_that_is_no_text_or_was_cut_off_by_a_kill_harms_nobody(folder: LocalHome):
    folder.drop(TRAIN, os.fsdecode(b"\xff.json"))
    (launch,) = folder.look().launches
    assert folder.look().trouble == []
    short = launch.trigger[:12]
    assert folder.files("done") == [f"{short}-_.json", f"{short}-_.json.run.json"]
    folder.drop({**TRAIN, "reason": "again"})
    (launch,) = folder.look().launches
    (folder.root / "taken" / f"{launch.trigger}.name").write_bytes(b"")
    folder.store.reject_taken(launch.trigger, ["It is not possible any more."])
    assert folder.files() == folder.files("taken") == []
    assert folder.files("rejected") == [f"{launch.trigger}.json", f"{launch.trigger}.json.error.txt"]


@pytest.fixture
def others_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are dropped are another user's, as the system would have it (`fs.protected_hardlinks`)."""
    real = {name: getattr(os, name) for name in ("utime", "link")}

    def refuse(name: str, path: Path, *arguments: Any, **options: Any) -> None:
        if path.parent.name == "triggers":
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))
        real[name](path, *arguments, **options)

    for name in real:
        monkeypatch.setattr(os, name, functools.partial(refuse, name))


@pytest.mark.usefixtures("others_files")
def test_a_file_of_another_user_of_the_machine_launches_once(folder: LocalHome):
    folder.drop(TRAIN)
    (launch,) = folder.look().launches
    assert folder.json(f"taken/{launch.trigger}.json") == TRAIN
    folder.drop(TRAIN, "again.json")
    outcome = folder.look()
    assert (outcome.launches, outcome.trouble, list(outcome.done)) == ([], [], [launch.trigger])
    assert folder.files("taken") == folder.files() == []
    short = launch.trigger[:12]
    assert folder.files("done") == [f"{short}-request.json", f"{short}-request.json.run.json"]
    assert folder.files("rejected") == ["again.json", "again.json.error.txt"]


@pytest.mark.usefixtures("others_files")
def test_of_two_files_of_another_user_that_ask_for_the_same_one_launches(folder: LocalHome):
    folder.drop(TRAIN, "a.json")
    folder.drop(TRAIN, "b.json")
    outcome = folder.look()
    assert len(outcome.launches) == 1
    assert outcome.rejected == {"b.json": ["The same is being launched already, for another file."]}
    assert not [path for path in (folder.root / "taken").iterdir() if path.name.startswith(".")]


def test_a_file_that_is_written_anew_while_it_is_taken_launches_what_it_says_by_then(
    folder: LocalHome, monkeypatch: pytest.MonkeyPatch
):
    folder.drop(TRAIN)
    really_link = os.link

    def write_anew_before(source: Path, target: Path, **options: bool) -> None:
        folder.drop({**TRAIN, "partition": "2025-01-20"})
        really_link(source, target, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", write_anew_before)
        assert folder.look().launches == []
    assert [launch.run.partition for launch in folder.look().launches] == ["2025-01-20"]


def test_what_another_sensor_finishes_meanwhile_does_not_end_the_look(
    folder: LocalHome, monkeypatch: pytest.MonkeyPatch
):
    folder.drop(TRAIN)
    (launch,) = folder.look().launches
    other = folder.new_store()

    def finish_meanwhile(path: Path) -> bytes:
        if path.exists() and path.parent.name == "taken":
            other.finish(launch.trigger, folder.runs[launch.trigger])
        return really_read(path)

    really_read = trigger_folder._read
    monkeypatch.setattr(trigger_folder, "_read", finish_meanwhile)
    second = folder.look()
    assert (second.launches, second.done, second.trouble) == ([], {}, [])
    assert folder.files("taken") == []


def test_a_trigger_that_became_impossible_before_it_was_launched_is_rejected(
    home: Home, monkeypatch: pytest.MonkeyPatch
):
    home.drop(TRAIN)
    home.look(does_launch=False)
    gone = ModelSet.of([ModelSpec(package_type="box")])
    monkeypatch.setattr("trigger_homes.MODELS", gone)

    outcome = home.look()

    ((place, problems),) = outcome.rejected.items()
    assert place.endswith("request.json")
    assert problems == ("models: there is no model 'mailer'; there is box",)
    assert home.files("rejected") == [place, f"{place}.error.txt"]
    assert home.json(f"rejected/{place}") == TRAIN
    assert home.files("taken") == []


def test_a_trigger_that_became_impossible_after_it_was_launched_is_done(home: Home, monkeypatch: pytest.MonkeyPatch):
    home.drop(TRAIN)
    (launch,) = home.look().launches
    monkeypatch.setattr("trigger_homes.MODELS", ModelSet.of([ModelSpec(package_type="box")]))

    outcome = home.look()

    assert (outcome.done, outcome.rejected) == ({launch.trigger: {"2025-01-13": "run-2025-01-13"}}, {})
    assert home.files("taken") == home.files("rejected") == []


def test_a_sensor_killed_before_it_puts_a_trigger_away_has_not_forgotten_its_runs(
    folder: LocalHome, monkeypatch: pytest.MonkeyPatch
):
    folder.drop(TRAIN)
    (launch,) = folder.look().launches
    really_write = trigger_folder.write_whole

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(trigger_folder, "write_whole", die)
        with pytest.raises(KeyboardInterrupt):
            folder.look()
    assert folder.files("done") == []
    with monkeypatch.context() as patched:
        patched.setattr(trigger_folder, "write_whole", lambda *given: [really_write(*given), die()])
        with pytest.raises(KeyboardInterrupt):
            folder.look()
    assert folder.store.runs_of(launch.trigger) == {"2025-01-13": "run-2025-01-13"}
    assert folder.look().done == {launch.trigger: {"2025-01-13": "run-2025-01-13"}}


def test_no_more_files_are_taken_at_once_than_asked_for(folder: LocalHome):
    for name in ("c.json", "a.json", "b.json"):
        folder.drop(TRAIN, name)
    assert folder.store.waiting(2) == ["a.json", "b.json"]


def test_what_there_is_is_listed(home: Home):
    home.drop({**TRAIN, "reason": "done"}, "done.json")
    (launch,) = home.look().launches
    home.drop([], "bad.json")
    home.look()
    home.drop({**TRAIN, "reason": "taken"}, "taken.json")
    (taken,) = home.look(does_launch=False).launches
    home.drop(TRAIN, "waiting.json")

    contents = home.store.contents(10)

    assert contents.waiting == ["waiting.json"]
    assert contents.taken == [f"{taken.trigger}.json"]
    assert contents.done == {f"{launch.trigger[:12]}-done.json": {"2025-01-13": "run-2025-01-13"}}
    ((place, problems),) = contents.rejected.items()
    assert place.endswith("bad.json")
    assert problems == ['A trigger is a JSON object, like {"pipeline": "train", "partition": "2025-01-06"}.']
    assert home.files() == ["waiting.json"]


def test_two_sensors_do_not_ask_twice_for_a_run_that_was_lost(home: Home):
    home.drop(TRAIN)
    home.look(does_launch=False)
    home.later = 2 * LAUNCH_PATIENCE
    (seen_by_both,) = home.store.taken()

    home.store.renew(seen_by_both)

    with pytest.raises(FileNotFoundError):
        home.new_store().renew(seen_by_both)
