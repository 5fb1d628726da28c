"""The best possible score: P(suitable | everything that can be observed of a product), exactly.

Given material and vendor pack, (fragility, packing) and the embedding are jointly normal, so the posterior is normal
too (Bishop, Pattern Recognition and Machine Learning, section 2.3.3). A title shows each of the two words with
probability .75, whatever they are; a word that is absent leaves a mixture over its values, weighted by the leaf's
shares and by how well each value explains the embedding.
"""

import numpy as np
from scipy.special import ndtr

from packaging_assets.simulator import constants as c
from packaging_assets.simulator.catalogue import Bools, Products, expected_severity
from packaging_assets.simulator.world import Floats, World

_SEVERITY_LOADING = np.asarray([1.0, -c.PACK_WEIGHT])
_PRIOR_PRECISION = np.asarray([c.FRAGILITY_SD**-2, c.PACK_SD**-2])


def bayes_scores(
    products: Products, world: World, eligible: dict[str, Bools], embedding_noise: float
) -> dict[str, Floats]:
    """Package type -> P(suitable | observed), shape (n,); 0 where the product does not fit.

    Observed are leaf category, sides, weight, liquid, brand, title and embedding as written (float32, rounded).
    """
    posterior_mean, log_weight, variance = _components(products, world, embedding_noise)
    log_weight -= log_weight.max(axis=1, keepdims=True)
    weight = np.exp(log_weight)
    weight /= weight.sum(axis=1, keepdims=True)
    base = expected_severity(world, products.leaf, products.weight_kg, products.is_liquid)[:, None]
    scale = 1.0 / np.sqrt(variance + c.SEVERITY_SD**2)
    location = (base + posterior_mean) * scale
    return {
        name: np.where(is_eligible, (weight * ndtr(c.THETA[name] * scale - location)).sum(axis=1), 0.0)
        for name, is_eligible in eligible.items()
    }


def _components(products: Products, world: World, embedding_noise: float) -> tuple[Floats, Floats, float]:
    """For each product (n) and each pair of material and pack (40): mean of F - .8 P and log weight; the variance.

    All are relative to the leaf's own fragility and packing.
    """
    n = len(products)
    precision = np.diag(_PRIOR_PRECISION) + world.loading @ world.loading.T / embedding_noise**2
    covariance = np.linalg.inv(precision)
    centred = products.embedding.astype(np.float64) - world.leaf_centre[products.leaf]
    evidence = centred @ world.loading.T / embedding_noise**2  # (n, 2)

    log_prior = _log_prior(products, world)
    prior_mean = np.empty((n, log_prior.shape[1], 2))
    prior_mean[:, :, 0] = np.repeat(world.material_effect, len(world.pack_effect))
    prior_mean[:, :, 1] = np.tile(world.pack_effect, len(world.material_effect))
    prior_mean[:, :, 1] += world.brand_effect[products.brand][:, None]

    natural = prior_mean * _PRIOR_PRECISION + evidence[:, None, :]
    mean = natural @ covariance
    log_weight = log_prior + 0.5 * ((natural * mean).sum(axis=2) - (prior_mean**2 * _PRIOR_PRECISION).sum(axis=2))
    return mean @ _SEVERITY_LOADING, log_weight, float(_SEVERITY_LOADING @ covariance @ _SEVERITY_LOADING)


def _log_prior(products: Products, world: World) -> Floats:
    """Log probability of each pair (material, pack) given leaf and title, shape (n, 40)."""
    material = world.leaf_material_share[products.leaf]
    pack = np.broadcast_to(world.pack_share, (len(products), len(world.pack_share)))
    material = np.where(products.is_material_shown[:, None], _one_hot(products.material, material.shape[1]), material)
    pack = np.where(products.is_pack_shown[:, None], _one_hot(products.pack, pack.shape[1]), pack)
    with np.errstate(divide="ignore"):
        return np.log((material[:, :, None] * pack[:, None, :]).reshape(len(products), -1))


def _one_hot(index: np.ndarray, width: int) -> Floats:
    return (index[:, None] == np.arange(width)).astype(np.float64)
