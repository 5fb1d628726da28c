"""Runs the retailer block by block: memory depends on the size of a block, not on the number of products."""

import datetime as dt
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from packaging_assets.simulator.bayes import bayes_scores
from packaging_assets.simulator.catalogue import Products, draw_products, fits, random_stream, suits
from packaging_assets.simulator.config import RetailerConfig
from packaging_assets.simulator.deliveries import Delivery, DeliveryPlan, DeliveryWriter, list_deliveries, weeks_of
from packaging_assets.simulator.evidence import Evidence, draw_feedback, draw_tests
from packaging_assets.simulator.incidents import INCIDENTS
from packaging_assets.simulator.truth import truth_table
from packaging_assets.simulator.versions import draw_corrections, list_versions, product_table
from packaging_assets.simulator.world import World, build_world

CONFIG_FILE = "retailer.json"

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many products are done, and how many there are."""


class SimulationError(ValueError):
    """The retailer cannot be written where it was asked to be."""


@dataclass(frozen=True)
class SimulatedRetailer:
    """What was written: deliveries in order of arrival, the truth, and the window [first_week, end) they cover."""

    config: RetailerConfig
    folder: Path
    deliveries: tuple[Delivery, ...]
    truth: Path
    weeks: tuple[str, ...]
    first_week: dt.date
    end: dt.date

    @property
    def last_day(self) -> dt.date:
        """The last day with data; products are created on it."""
        return self.end - dt.timedelta(days=1)


def simulate(config: RetailerConfig, out: Path, *, progress: Progress | None = None) -> SimulatedRetailer:
    """Write the retailer's deliveries and the truth under `out`; an earlier simulation there is replaced.

    The same config gives byte-identical files; an incident changes nothing but its own rows.

    Raises:
        SimulationError: `out` holds something else than an earlier simulation.
    """
    _make_room(config, out)
    world = build_world()
    plan = DeliveryPlan(config)
    with DeliveryWriter(plan, out) as writer:
        for block in range(config.blocks):
            _write_block(config, world, block, plan, writer)
            if progress:
                done = min((block + 1) * config.products_per_block, config.products)
                progress("products", done, config.products)
    return SimulatedRetailer(
        config=config,
        folder=out,
        deliveries=list_deliveries(plan, out),
        truth=out / "truth",
        weeks=config.week_labels,
        first_week=config.first_week,
        end=config.end,
    )


def _make_room(config: RetailerConfig, out: Path) -> None:
    """An empty folder that says what it is for, so that it may be replaced even if this run is killed."""
    if out.exists() and not out.is_dir():
        raise SimulationError(f"{out} is a file: name a folder for the deliveries.")
    if out.exists() and any(out.iterdir()):
        if not (out / CONFIG_FILE).is_file():
            raise SimulationError(f"{out} holds files that are not a simulated retailer's: name an empty folder.")
        _remove_all_but_the_sign(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / CONFIG_FILE).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _remove_all_but_the_sign(out: Path) -> None:
    """Empty the folder of an earlier simulation; the file that says what it is stays, should this run be killed."""
    for path in out.iterdir():
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != CONFIG_FILE:
                path.unlink()
        except OSError as error:  # of what is deep in the folder it names the last part alone
            raise SimulationError(f"{path} cannot be removed ({error.strerror}): check its permissions.") from error


def _write_block(config: RetailerConfig, world: World, block: int, plan: DeliveryPlan, writer: DeliveryWriter) -> None:
    products = draw_products(config, world, block)
    eligible = fits(products.sides_cm, products.weight_kg, products.is_liquid)
    truth = suits(products, eligible)
    _write_products(config, products, block, writer)
    _write_evidence(plan, "package_tests", draw_tests(config, products, truth, block), block, writer)
    _write_evidence(plan, "customer_feedback", draw_feedback(config, products, truth, eligible, block), block, writer)
    bayes = bayes_scores(products, world, eligible, config.embedding_noise)
    writer.write_truth(truth_table(products, bayes, truth, eligible))


def _write_products(config: RetailerConfig, products: Products, block: int, writer: DeliveryWriter) -> None:
    corrections = draw_corrections(config, products, block)
    versions = list_versions(config, products, corrections, block)
    week = weeks_of(config, versions.updated_us)
    for each in np.unique(week):
        writer.write("products", int(each), product_table(products, corrections, versions, week == each))


def _write_evidence(plan: DeliveryPlan, table: str, evidence: Evidence, block: int, writer: DeliveryWriter) -> None:
    week = weeks_of(plan.config, evidence.time_us)
    for each in np.unique(week):
        is_there = week == each
        for incident in plan.config.incidents:
            if incident.kind == "volume_halved" and incident.week == each:
                purpose = (4, list(INCIDENTS).index(incident.kind), incident.week, len(table))
                rng = random_stream(plan.config, block, *purpose)
                is_there &= rng.random(len(week)) >= incident.share
        writer.write(table, int(each), evidence.table.filter(is_there))
