"""Results are replaced by name, kept otherwise, and never half written."""

from pathlib import Path

import pytest

from benchmarks.results_file import KEYS, merged, read_results, write_results


def figure(name: str, ratio: float = 1.0) -> dict[str, object]:
    return {**dict.fromkeys(KEYS, 0), "name": name, "ratio": ratio}


def test_new_figures_take_the_place_of_old_ones_of_their_name():
    old = [figure("a"), figure("b"), figure("c")]
    new = [figure("d", 4.0), figure("b", 2.0)]
    assert merged(old, new) == [figure("a"), figure("b", 2.0), figure("c"), figure("d", 4.0)]


def test_a_figure_without_a_key_is_refused():
    incomplete = figure("a")
    del incomplete["spread"]
    with pytest.raises(ValueError, match="the figure a has no 'spread': give it one"):
        merged([], [incomplete])


def test_two_figures_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two figures are named 'b'"):
        merged([], [figure("a"), figure("b"), figure("b")])


def test_what_is_written_is_read(tmp_path: Path):
    file = tmp_path / "new" / "latest.json"
    assert read_results(file) == []
    write_results([figure("a", 1.25)], file)
    assert read_results(file) == [figure("a", 1.25)]
    assert [path.name for path in file.parent.iterdir()] == ["latest.json"]


def test_a_write_that_fails_leaves_the_old_results(tmp_path: Path):
    file = tmp_path / "latest.json"
    write_results([figure("a")], file)
    with pytest.raises(TypeError):
        write_results([{"name": object()}], file)
    assert read_results(file) == [figure("a")]
