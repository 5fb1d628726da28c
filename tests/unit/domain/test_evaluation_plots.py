import sys
from pathlib import Path

import numpy as np
import pytest

from packaging_assets.domain.average_precision import precision_recall_curve
from packaging_assets.domain.evaluation_plots import plot_precision_recall

RNG = np.random.default_rng(11)
Y = (RNG.random(20_000) < 0.2).astype(int)
SCORES = {
    "candidate": np.clip(0.2 + 0.3 * (Y - 0.2) + RNG.normal(0, 0.1, len(Y)), 0, 1),
    "champion, version 3": np.clip(0.2 + 0.2 * (Y - 0.2) + RNG.normal(0, 0.1, len(Y)), 0, 1),
}
PNG = b"\x89PNG\r\n\x1a\n"


def draw(folder: Path) -> list[Path]:
    folder.mkdir()
    curves = {name: precision_recall_curve(Y, scores) for name, scores in SCORES.items()}
    plot_precision_recall(folder / "pr_curve.png", curves, baseline=0.2)
    return [folder / "pr_curve.png"]


def test_the_same_numbers_give_the_same_small_png_files(tmp_path: Path):
    first, second = draw(tmp_path / "first"), draw(tmp_path / "second")

    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    for path in first:
        assert path.read_bytes().startswith(PNG)
        assert 5_000 < path.stat().st_size <= 40_000
        assert b"matplotlib" not in path.read_bytes().lower()


def test_drawing_leaves_pyplot_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)

    draw(tmp_path / "plots")

    assert "matplotlib.pyplot" not in sys.modules
