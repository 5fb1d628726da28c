"""A synthetic retailer with known ground truth.

It writes the files a retailer would deliver (catalogue, package tests, customer feedback) and, apart from them, the
truth that no platform ever sees: which package types suit each product, and the best possible score for what can be
observed of it. Imported by the command line only.
"""

from packaging_assets.simulator.config import RetailerConfig as RetailerConfig
from packaging_assets.simulator.deliveries import Delivery as Delivery
from packaging_assets.simulator.incidents import INCIDENTS as INCIDENTS
from packaging_assets.simulator.incidents import Incident as Incident
from packaging_assets.simulator.incidents import IncidentError as IncidentError
from packaging_assets.simulator.incidents import parse_incident as parse_incident
from packaging_assets.simulator.simulate import SimulatedRetailer as SimulatedRetailer
from packaging_assets.simulator.simulate import SimulationError as SimulationError
from packaging_assets.simulator.simulate import simulate as simulate
from packaging_assets.simulator.truth import TruthError as TruthError
from packaging_assets.simulator.truth import read_truth as read_truth
