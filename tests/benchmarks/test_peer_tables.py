"""The comparison's tables say who did what, and where others did better."""

from benchmarks.peer_tables import behaviour_table, configuration_list, cost_table, where_a_peer_is_better


def peer(name: str, ratio: float, *, again: dict[str, float], resumed: dict[str, int], exit_code: int = 0):
    gone_on = {"exit_code": exit_code, "computed": resumed, "trained_again": resumed.get("train", 0)}
    return {
        "name": name,
        "version": "1.2",
        "ratio": ratio,
        "spread": 0.01,
        "ours": 10 * ratio,
        "cpu_ratio": 1.5,
        "cpu_spread": 0.02,
        "beside": {"ours_cpu_seconds": 15.0, "ours_peak_rss_mb": 400.0},
        "again": {"wall_seconds": 2.0, "computed": again},
        "failure": {"champions_before": 3, **gone_on},
        "kill": {"left_running": 0, **gone_on},
        "configured": "nothing",
    }


OURS = peer("ours", 1.2, again={"register": 4}, resumed={"evaluate": 1, "predictions": 1})
QUICK = peer("quick", 1.05, again={"train": 4, "evaluate": 4}, resumed={"train": 1, "predictions": 1, "evaluate": 1})
STUCK = peer("stuck", 2.0, again={}, resumed={"evaluate": 1}, exit_code=1)


def test_costs_with_the_least_of_each_column_in_bold():
    lines = cost_table([OURS, QUICK]).splitlines()
    assert lines[2] == "| ours | 1.2 | 12 | 1.2 ± 0.01 | **15** | **1.5 ± 0.02** | **400** | **2** | **4** |"
    assert lines[3] == "| quick | 1.2 | **10.5** | **1.05 ± 0.01** | **15** | **1.5 ± 0.02** | **400** | **2** | 8 |"


def test_behaviour_after_a_failure_and_after_a_kill():
    lines = behaviour_table([OURS, QUICK, STUCK]).splitlines()
    assert lines[2] == "| ours | 3 of 3 | 2 | 0 | 0 | 2 | 0 |"
    assert lines[3] == "| quick | 3 of 3 | 3 | 1 | 0 | 3 | 1 |"
    assert lines[4] == "| stuck | 3 of 3 | failed with 1 after 1 | 0 | 0 | failed with 1 after 1 | 0 |"


def test_where_others_are_better_by_measure():
    assert where_a_peer_is_better([OURS, QUICK, STUCK], "ours") == (
        "- wall over the floor, ours 1.2: quick 1.05\n- steps that ran in it, ours 4: stuck 0\n"
    )


def test_one_that_did_not_finish_is_not_better_for_having_run_less():
    assert "resumed" not in where_a_peer_is_better([OURS, STUCK], "ours")


def test_nowhere_and_not_measured():
    assert where_a_peer_is_better([OURS], "ours") == "- nowhere by these measures\n"
    assert where_a_peer_is_better([QUICK], "ours") == "Not measured yet.\n"


def test_what_was_set():
    assert configuration_list([OURS]) == "- ours 1.2: nothing\n"
