"""The exact score is calibrated, and the population is the one that is documented."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from packaging_assets.domain.package_types import PACKAGE_TYPES, WEAKEST_TO_STRONGEST
from packaging_assets.simulator import RetailerConfig
from packaging_assets.simulator.bayes import bayes_scores
from packaging_assets.simulator.catalogue import draw_products, fits, suits
from packaging_assets.simulator.constants import FIT_LIMITS, THETA
from packaging_assets.simulator.world import build_world


@pytest.fixture(scope="module")
def sample():
    config = RetailerConfig(products=40_000, seed=3)
    world = build_world()
    products = draw_products(config, world, 0)
    eligible = fits(products.sides_cm, products.weight_kg, products.is_liquid)
    bayes = bayes_scores(products, world, eligible, config.embedding_noise)
    return products, eligible, suits(products, eligible), bayes


@pytest.mark.parametrize(("name", "rate"), [("sioc", 0.204), ("bag", 0.383), ("mailer", 0.372), ("box", 0.882)])
def test_rate_of_suitable_products_is_near_the_specified_one(sample, name, rate):
    assert sample[2][name].mean() == pytest.approx(rate, abs=0.045)


@pytest.mark.parametrize(("name", "expected"), [("sioc", 0.758), ("bag", 0.867), ("mailer", 0.950), ("box", 0.760)])
def test_average_precision_on_products_that_fit_is_near_the_specified_one(sample, name, expected):
    _, eligible, truth, bayes = sample
    rows, flip = eligible[name], name == "box"
    score, label = bayes[name][rows], truth[name][rows]
    found = average_precision_score(~label, -score) if flip else average_precision_score(label, score)
    assert found == pytest.approx(expected, abs=0.035)


@pytest.mark.parametrize("name", PACKAGE_TYPES)
def test_every_tenth_of_the_scores_is_calibrated(sample, name):
    _, eligible, truth, bayes = sample
    score, label = bayes[name][eligible[name]], truth[name][eligible[name]]
    for tenth in np.array_split(np.argsort(score), 10):
        error = np.sqrt((score[tenth] * (1 - score[tenth])).sum()) / len(tenth)
        assert abs(score[tenth].mean() - label[tenth].mean()) < 4 * error + 1e-4


@pytest.mark.parametrize("name", PACKAGE_TYPES)
def test_a_product_that_does_not_fit_is_unsuitable_and_scores_nothing(sample, name):
    _, eligible, truth, bayes = sample
    assert not truth[name][~eligible[name]].any()
    assert (bayes[name][~eligible[name]] == 0).all()
    assert (~eligible[name]).any()


def test_where_all_types_fit_a_stronger_one_is_never_less_likely_to_suit(sample):
    _, eligible, _, bayes = sample
    rows = np.all([eligible[name] for name in PACKAGE_TYPES], axis=0)
    scores = np.column_stack([bayes[name][rows] for name in WEAKEST_TO_STRONGEST])
    assert rows.sum() > 1000
    assert (np.diff(scores, axis=1) >= 0).all()
    assert sorted(THETA, key=lambda name: THETA[name]) == list(WEAKEST_TO_STRONGEST)


@pytest.mark.parametrize(
    ("sides", "weight", "is_liquid", "expected"),
    [
        ((40, 7, 32), 2.5, False, {"mailer", "bag", "box", "sioc"}),
        ((40.1, 32, 7), 2.5, False, {"bag", "box", "sioc"}),
        ((40, 32, 7.1), 2.5, True, {"box", "sioc"}),
        ((14.9, 10, 5), 0.2, False, {"mailer", "bag", "box"}),
        ((15, 10, 5), 0.149, False, {"mailer", "bag", "box"}),
        ((76, 55, 50), 22, False, {"sioc"}),
        ((75, 55, 50), 22.001, False, {"sioc"}),
        ((75, 50, 55), 22, False, {"box", "sioc"}),
    ],
)
def test_fit_limits(sides, weight, is_liquid, expected):
    found = fits(np.asarray([sides], float), np.asarray([weight], float), np.asarray([is_liquid]))
    assert {name for name in FIT_LIMITS if found[name][0]} == expected


def test_posterior_agrees_with_simulation_of_the_unseen_words(sample):
    products, eligible, truth, bayes = sample
    for is_shown in (True, False):
        rows = eligible["box"] & (products.is_material_shown == is_shown) & (products.is_pack_shown == is_shown)
        assert bayes["box"][rows].mean() == pytest.approx(truth["box"][rows].mean(), abs=0.02)
