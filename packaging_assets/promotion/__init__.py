"""Taking an approved version from one environment to another: its files, its card, and where it comes from."""

from packaging_assets.promotion.promote import Environment as Environment
from packaging_assets.promotion.promote import Promotion as Promotion
from packaging_assets.promotion.promote import PromotionError as PromotionError
from packaging_assets.promotion.promote import promote as promote
