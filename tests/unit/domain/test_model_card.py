"""The card says what the metrics say, stands alone, and is the same bytes for the same inputs."""

import copy
import datetime as dt
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from packaging_assets.domain.features import FeatureSet
from packaging_assets.domain.gate_policy import GatePolicy
from packaging_assets.domain.metrics import EvaluateParams, evaluate
from packaging_assets.domain.model_card import (
    LineageEntry,
    ModelCardParams,
    key_figures,
    sum_numbered,
    weekly_label_rates,
    write_model_card,
)
from packaging_assets.domain.model_card_page import STYLE
from packaging_assets.domain.models import TrainParams, train
from packaging_assets.domain.splits import SplitParams, split

ROWS = 2400
WEEK = dt.date(2025, 2, 10)
FEATURES = FeatureSet(numeric=("weight_kg", "density_kg_per_l"), categorical=("brand",))
FINGERPRINT = "ab" * 32
LEARNER = {"iterations": 30, "learning_rate": 0.2, "rsm": 1, "l2_leaf_reg": 3, "thread_count": 1}


class Page(HTMLParser):
    """What a page shows and what it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []
        self.feed(text)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        self.references += [str(value) for name, value in attrs if name in {"src", "href", "srcset", "action"}]

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


def make_week(folder: Path, *, seed: int = 1, density_factor: float = 1.0) -> dict[str, Path]:
    """A trained and judged first model with everything it was made from."""
    inputs = {name: folder / name for name in ("labels", "features", "split", "candidate", "metrics")}
    for path in inputs.values():
        path.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    weight, brand = rng.normal(size=ROWS), rng.integers(0, 5, ROWS)
    label = (1.6 * weight + 0.6 * (brand - 2) + rng.logistic(size=ROWS)) > 1.8
    ids = [f"p{row:05d}" for row in range(ROWS)]
    first = [dt.datetime.fromisoformat("2025-01-06") + dt.timedelta(days=row % 35) for row in range(ROWS)]
    density = np.exp(rng.normal(size=ROWS)) * np.where(np.arange(ROWS) % 10 < 3, density_factor, 1)
    labels = {
        "product_id": ids,
        "package_type": ["box"] * ROWS,
        "label": label.astype(np.int8),
        "weight": np.ones(ROWS),
        "is_random_test": np.ones(ROWS, dtype=bool),
        "source": ["test"] * ROWS,
        "first_evidence_at": pa.array(first, pa.timestamp("us")),
        "last_evidence_at": pa.array(first, pa.timestamp("us")),
    }
    pq.write_table(pa.table(labels), inputs["labels"] / "labels.parquet")
    weeks = [WEEK - dt.timedelta(weeks=back) for back in range(5)]
    volume = pa.table({"package_type": ["box"] * 5, "week": weeks, "evidence_rows": [200, 200, 210, 190, 205]})
    pq.write_table(volume, inputs["labels"] / "volume.parquet")
    features = {
        "product_id": ids,
        "weight_kg": weight,
        "density_kg_per_l": density,
        "brand": [f"<i>brand</i> {number}" for number in brand],
        "fits_box": np.ones(ROWS, dtype=bool),
    }
    pq.write_table(pa.table(features), inputs["features"] / "part-00000.parquet")
    split(inputs, SplitParams(package_type="box", validation_fraction=0.4), inputs["split"])
    train(
        inputs,
        TrainParams(package_type="box", features=FEATURES, seed=1, parameters=LEARNER),
        inputs["candidate"],
    )
    return inputs


def judge(inputs: dict[str, Path], champion_version: int | None = None) -> dict[str, Any]:
    params = EvaluateParams(
        package_type="box",
        week=WEEK,
        features=FEATURES,
        policy=GatePolicy.model_validate(
            {
                "min_minority_rows": 50,
                "slice_min_minority_rows": 10,
                "slice_bands": ("weight_kg",),
                "slice_categories": ("brand",),
            }
        ),
        champion_version=champion_version,
    )
    evaluate(inputs, params, inputs["metrics"])
    return json.loads((inputs["metrics"] / "metrics.json").read_text())


def card(inputs: dict[str, Path], output: Path, **changes: Any) -> str:
    output.mkdir()
    params = {
        "package_type": "box",
        "model": "box",
        "week": WEEK,
        "fingerprint": FINGERPRINT,
        "code_version": "0.1.0+0123456789ab",
        "lineage": (LineageEntry(name="labels", uri="labels/2025-02-10/f", content_hash="cd" * 32),),
        **changes,
    }
    write_model_card(inputs, ModelCardParams(**params), output)
    assert [path.name for path in output.iterdir()] == ["card.html"]
    return (output / "card.html").read_text()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Path], dict[str, Any]]:
    inputs = make_week(tmp_path_factory.mktemp("first"))
    return inputs, judge(inputs)


@pytest.fixture(scope="module")
def second(
    tmp_path_factory: pytest.TempPathFactory, first: tuple[dict[str, Path], dict[str, Any]]
) -> tuple[dict[str, Path], dict[str, Any]]:
    """Another week's model, with a density in wrong units for three products in ten."""
    inputs = make_week(tmp_path_factory.mktemp("second"), seed=2, density_factor=2.54**3)
    inputs |= {"champion": first[0]["candidate"], "champion_metrics": first[0]["metrics"]}
    return inputs, judge(inputs, champion_version=3)


def test_the_first_models_card_shows_its_figures_and_says_that_there_was_no_champion(first, tmp_path: Path):
    inputs, metrics = first
    page = Page(card(inputs, tmp_path / "out"))

    assert "box, week of 2025-02-10" in page.text
    assert f"{metrics['pr_auc']:.4f}" in page.text
    assert f"{metrics['validation_rows']:,} rows that the model was not trained on. The rows that judge" in page.text
    assert "There was no champion to compare with" in page.text
    figures = {name: (value, note) for name, value, note in key_figures(metrics, "box")}
    assert figures["log loss"] == (f"{metrics['log_loss']:.4f}", "")
    assert figures["against champion"] == ("first model", "judged by floors and baseline")
    assert FINGERPRINT in page.text
    assert "0.1.0+0123456789ab" in page.text
    assert "labels/2025-02-10/f" in page.text
    assert "2025-02-10 to 2025-02-17 (exclusive, UTC)" in page.text
    assert "from 2025-01-06 to 2025-02-09" in page.text
    assert page.tags.count("svg") == 4  # two curves, label rate, volume


def test_a_rejected_models_card_shows_every_check_the_drift_and_the_slices(second, tmp_path: Path):
    inputs, metrics = second
    verdict = json.loads((inputs["metrics"] / "verdict.json").read_text())
    page = Page(card(inputs, tmp_path / "out"))

    assert verdict["outcome"] == "reject"
    assert "rejected by the gates" in page.text
    assert page.text.count("✗ failed") == len(verdict["failures"]) > 0
    assert page.text.count("✓ passed") == sum(check["is_passed"] for check in verdict["checks"])
    rows = f"{metrics['validation_rows']:,} rows that neither model was trained on"
    excluded = metrics["excluded_champion_training_rows"]
    assert f"{rows}; {excluded:,} were left out because the champion was trained on them." in page.text
    for check in verdict["checks"]:
        assert check["name"] in page.text
        assert check["sentence"] in page.text
        assert (f"What to do: {check['remedy']}" in page.text) >= (not check["is_passed"])
    assert f"{metrics['champion']['difference']:+.4f}" in page.text
    assert "champion, version 3" in page.text
    assert f"{metrics['drift']['psi']['density_kg_per_l']:.3f}" in page.text
    for row in metrics["slices"]["rows"]:
        assert f"{row['dimension']}: {row['value']}" in page.text
    assert page.tags.count("svg") == 6  # two distributions more


def test_a_champion_of_another_model_is_named(second, tmp_path: Path):
    inputs, metrics = second
    folder = shutil.copytree(inputs["metrics"], tmp_path / "metrics")
    shadow = {**metrics, "stage": "shadow", "champion": {**metrics["champion"], "model": "box"}}
    (folder / "metrics.json").write_text(json.dumps(shadow))

    page = Page(card({**inputs, "metrics": folder}, tmp_path / "out", model="box_text"))

    assert page.text.count("champion, box version 3") == 2  # in the legends of both curves
    assert key_figures(shadow, "box_text")[1][2].endswith("; box version 3")
    assert key_figures(shadow, "box")[1][2].endswith("; version 3")


def test_of_what_went_missing_and_what_is_unknown_the_most_is_named(second, tmp_path: Path):
    inputs, metrics = second
    folder = shutil.copytree(inputs["metrics"], tmp_path / "metrics")
    drift = {
        **metrics["drift"],
        "missing": {name: {"increase": gain} for name, gain in (("a", 0.01), ("b", 0.03), ("c", -0.2))},
        "unseen": {name: {"excess": excess} for name, excess in (("d", 0.04), ("e", 0.02))},
    }
    for name in metrics["drift"]["psi"]:
        drift["missing"][name] = {"increase": 0.0, "share": 0.0, "reference_share": 0.0}
    (folder / "metrics.json").write_text(json.dumps({**metrics, "drift": drift}))

    page = Page(card({**inputs, "metrics": folder}, tmp_path / "out"))

    assert "b: +3.00 percentage points" in page.text
    assert "d: +4.00 percentage points beyond the expected" in page.text


def test_the_density_is_drawn_over_the_rows_that_its_index_is_computed_on(second, tmp_path: Path):
    inputs, metrics = second
    text = card(inputs, tmp_path / "out")

    chart = next(part for part in text.split("<svg") if 'aria-label="Distribution of density_kg_per_l"' in part)
    heights = {
        style: np.array([float(height) for height in re.findall(rf'class="bar s{style}"[^>]*height="([^"]+)"', chart)])
        for style in (0, 1)
    }
    now, then = (heights[style] / heights[style].sum() for style in (0, 1))
    index = ((now - then) * np.log(now / then)).sum()
    assert len(now) == len(then) == 10
    assert index == pytest.approx(metrics["drift"]["psi"]["density_kg_per_l"], rel=0.05)


def test_each_features_index_is_marked_at_its_own_limit(second, tmp_path: Path):
    inputs, metrics = second
    metrics = copy.deepcopy(metrics)
    metrics["drift"]["psi"] |= {"density_kg_per_l": 0.2, "weight_kg": 0.3}
    metrics["drift"]["missing"]["weight_kg"] |= {"share": 0.95, "reference_share": 0.0}
    rows, reference_rows = metrics["drift"]["rows"], metrics["drift"]["reference_rows"]
    longest_limit = 0.03 + 30 * (1 / round(rows * 0.05) + 1 / reference_rows)
    judged = tmp_path / "metrics"
    shutil.copytree(inputs["metrics"], judged)
    (judged / "metrics.json").write_text(json.dumps(metrics))

    text = card({**inputs, "metrics": judged}, tmp_path / "out")

    indexes = text.split("<h3>Population stability index")[1].split("</div>")[0]
    bars = re.findall(r'<span>(\w+)</span>\s*<span class="track"><i( class="over")? style="width:([\d.]+)%', indexes)
    assert [(name, bool(is_over)) for name, is_over, _ in bars] == [("density_kg_per_l", True), ("weight_kg", False)]
    assert [width for *_, width in bars] == [f"{100 * index / longest_limit:.1f}" for index in (0.2, 0.3)]


def test_the_page_stands_alone_and_runs_nothing(second, tmp_path: Path):
    text = card(second[0], tmp_path / "out")
    page = Page(text)

    assert page.references == []
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert "url(" not in text
    assert "@import" not in text
    assert len(text) < 100_000
    assert "@media print" in text
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in text


def test_a_table_says_which_cells_head_it_and_a_mark_has_a_word(second, tmp_path: Path):
    text = card(second[0], tmp_path / "out")

    heads = re.findall(r"<th\b([^>]*)>", text)
    assert len(heads) > 20
    assert all('scope="col"' in head or 'scope="row"' in head for head in heads)
    assert not re.search(r"<th\b[^>]*></th>", text)
    marks = re.findall(r'<span aria-hidden="true">(.)</span>\s*<span class="unseen">([^<]+)</span>', text)
    assert {"✓": "passed", "!": "failed with a warning", "✗": "failed"}.items() >= set(marks)
    assert '<html lang="en">' in text
    assert "<title>box, week of 2025-02-10</title>" in text


def contrast(one: str, other: str) -> float:
    """Of two colours, as WCAG 2 has it: 1 to 21."""

    def luminance(colour: str) -> float:
        digits = "".join(2 * digit for digit in colour) if len(colour) == 3 else colour
        parts = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_text_and_lines_can_be_told_from_the_page_by_day_and_by_night():
    schemes = [dict(re.findall(r"--(\w+):#(\w+)", rule)) for rule in re.findall(r":root{[^}]*}", STYLE)]

    assert len(schemes) == 2
    assert schemes[0].keys() == schemes[1].keys()
    for colours in schemes:
        grounds = colours["paper"], colours["wash"]
        for ground in grounds:
            for text in ("ink", "soft", "good", "bad", "held", "first"):
                assert contrast(colours[text], ground) >= 4.5, (text, ground)
            for line in ("second", "still"):
                assert contrast(colours[line], ground) >= 3, (line, ground)
    assert "@media screen and (prefers-color-scheme:dark)" in STYLE  # paper stays white


def test_a_count_has_all_its_digits_and_a_fraction_four(second, tmp_path: Path):
    inputs, _ = second
    folder = shutil.copytree(inputs["metrics"], tmp_path / "metrics")
    verdict = json.loads((folder / "verdict.json").read_text())
    verdict["checks"][0] |= {"value": 12345, "limit": 400.0}
    verdict["checks"][1] |= {"value": -0.000123456, "limit": None}
    (folder / "verdict.json").write_text(json.dumps(verdict))

    text = card({**inputs, "metrics": folder}, tmp_path / "out")

    cells = re.findall(r'data-name="(value|limit)">([^<]*)<', text)
    assert cells[:4] == [("value", "12,345"), ("limit", "400"), ("value", "-0.0001235"), ("limit", "")]


def test_bands_are_listed_from_the_lowest_to_the_highest(second, tmp_path: Path):
    inputs, metrics = second
    folder = shutil.copytree(inputs["metrics"], tmp_path / "metrics")
    row = next(row for row in metrics["slices"]["rows"] if row["dimension"] == "weight_kg")
    bands = ["(missing)", "12.5 to 100", "9.5 to 12.5", "below -1e-05", "from 100", "-1e-05 to 9.5"]
    rows = [{**row, "value": band} for band in bands]
    brands = [{**row, "dimension": "brand", "value": name} for name in ("b", "a")]
    (folder / "metrics.json").write_text(json.dumps({**metrics, "slices": {"rows": [*rows, *brands]}}))

    policy = GatePolicy(slice_bands=("weight_kg",))
    text = card({**inputs, "metrics": folder}, tmp_path / "out", policy=policy)

    assert re.findall(r'<th scope="row">((?:weight_kg|brand): [^<]+?)(?: <|</th>)', text) == [
        "weight_kg: below -1e-05",
        "weight_kg: -1e-05 to 9.5",
        "weight_kg: 9.5 to 12.5",
        "weight_kg: 12.5 to 100",
        "weight_kg: from 100",
        "weight_kg: (missing)",
        "brand: a",
        "brand: b",
    ]


def test_what_the_data_say_is_shown_and_never_markup(second, tmp_path: Path):
    text = card(second[0], tmp_path / "out", code_version="<b>1</b>")

    assert "<i>brand" not in text
    assert "&lt;i&gt;brand&lt;/i&gt; 0" in text
    assert "<b>1</b>" not in text


def test_the_same_inputs_give_the_same_bytes(second, tmp_path: Path):
    assert card(second[0], tmp_path / "a") == card(second[0], tmp_path / "b")


def card_of(inputs: dict[str, Path], folder: Path, **changes: Any) -> Page:
    """The card of the same model, of which model.json says otherwise."""
    candidate = shutil.copytree(inputs["candidate"], folder / "candidate")
    description = json.loads((candidate / "model.json").read_text())
    (candidate / "model.json").write_text(json.dumps({**description, **changes}))
    return Page(card({**inputs, "candidate": candidate}, folder / "out"))


def test_every_kind_of_feature_is_counted_and_listed(first, tmp_path: Path):
    assert "features 2 numeric, 1 categorical" in Page(card(first[0], tmp_path / "plain")).text
    features = {
        "numeric": ["weight_kg"],
        "embedding": ["image_00", "image_01"],
        "scores": ["bag"],
        "categorical": ["brand"],
        "text": ["title"],
    }
    page = card_of(first[0], tmp_path, features=features)
    assert "features 1 numeric, 2 embedding, 1 scores, 1 categorical, 1 text" in page.text
    assert "All features (6) weight_kg, image_00, image_01, score_bag, brand, title" in page.text


@pytest.mark.parametrize(
    ("weighting", "shown"),
    [("balanced", "balanced"), ({"suitable": 1.0, "not_suitable": 2.5}, "suitable 1, not suitable 2.5")],
)
def test_class_weights_are_shown_where_there_are_any(first, tmp_path: Path, weighting: Any, shown: str):
    page = card_of(first[0], tmp_path / "with", class_weights=weighting)
    assert f"seed 1 class weights {shown} features" in page.text
    assert "class weights" not in Page(card(first[0], tmp_path / "without")).text


def test_a_split_by_time_is_told_by_its_weeks_and_not_by_a_seed(first, tmp_path: Path):
    inputs = first[0]
    assert "split by hash, seed 20250106 labels" in Page(card(inputs, tmp_path / "plain")).text
    folder = shutil.copytree(inputs["split"], tmp_path / "split")
    by_time = {**json.loads((folder / "split.json").read_text()), "method": "time", "validation_weeks": 3}
    (folder / "split.json").write_text(json.dumps(by_time))
    page = Page(card({**inputs, "split": folder}, tmp_path / "out"))
    assert "split by time: products first seen in the last 3 weeks validate labels" in page.text


def test_a_split_by_groups_tells_their_column_and_number(first, tmp_path: Path):
    inputs = first[0]
    folder = shutil.copytree(inputs["split"], tmp_path / "split")
    by_group = {**json.loads((folder / "split.json").read_text()), "group_by": "brand"}
    by_group["train"]["groups"] = 1234
    (folder / "split.json").write_text(json.dumps(by_group))
    page = Page(card({**inputs, "split": folder}, tmp_path / "out"))
    assert "split by hash of brand, seed 20250106 labels" in page.text
    assert "in 1,234 groups, " in page.text


@pytest.mark.parametrize(
    ("model", "stage", "title"),
    [
        ("box", "live", "box, week of 2025-02-10"),
        ("box_text", "live", "box_text (model for box), week of 2025-02-10"),
        ("box_text", "shadow", "box_text (shadow model for box), week of 2025-02-10"),
        ("box", "shadow", "box (shadow model for box), week of 2025-02-10"),
    ],
)
def test_the_title_tells_the_models_of_a_package_type_apart(first, tmp_path: Path, model: str, stage: str, title: str):
    inputs, metrics = first
    folder = shutil.copytree(inputs["metrics"], tmp_path / "metrics")
    (folder / "metrics.json").write_text(json.dumps({**metrics, "stage": stage}))
    assert f"<h1>{title}</h1>" in card({**inputs, "metrics": folder}, tmp_path / "out", model=model)


def test_a_code_version_that_was_not_kept_is_said_so(first, tmp_path: Path):
    assert "<dt>code version</dt><dd><code>not kept</code></dd>" in card(first[0], tmp_path / "out", code_version="")


def test_label_rates_are_those_of_tested_products_by_the_week_of_their_first_evidence():
    times = [dt.datetime.fromisoformat(f"2025-01-{day}") for day in ("06", "12", "13", "07")]
    labels = pa.table(
        {
            "label": pa.array([1, 0, 1, 0], pa.int8()),
            "source": ["test", "test", "test", "feedback"],
            "first_evidence_at": pa.array(times, pa.timestamp("us")),
        }
    )
    assert weekly_label_rates(labels) == [(dt.date(2025, 1, 6), 2, 0.5), (dt.date(2025, 1, 13), 1, 1.0)]


def test_the_importance_of_an_embedding_is_one_sum_and_of_short_series_is_not():
    long = {f"image_embedding_{number:02d}": 0.5 for number in range(10)}
    assert sum_numbered({**long, "side_1": 2.0, "side_2": 1.0, "weight_kg": 4.0}) == {
        "image_embedding (10 columns)": 5.0,
        "side_1": 2.0,
        "side_2": 1.0,
        "weight_kg": 4.0,
    }
