"""The retailer's categories: 8 categories x 5 subcategories x 4 product types (leaves), and what is typical of each.

The figures are plausible rather than measured: sides in cm, density in kg per litre of outer volume, fragility and
vendor packing as standard scores, the share of liquid products, the price level in USD.
"""

from typing import NamedTuple


class Subcategory(NamedTuple):
    """What is typical of one subcategory; its four product types vary around it."""

    name: str
    product_types: tuple[str, str, str, str]
    sides_cm: tuple[float, float, float]
    density_kg_per_l: float
    fragility: float
    packing: float
    liquid_share: float
    price_usd: float


class Category(NamedTuple):
    """A category, the relative frequency of the eight materials in it, and its subcategories."""

    name: str
    material_weights: tuple[float, ...]
    subcategories: tuple[Subcategory, ...]


def _sub(name: str, types: str, sides: tuple[float, float, float], *figures: float) -> Subcategory:
    first, second, third, fourth = types.split(", ")
    return Subcategory(name, (first, second, third, fourth), sides, *figures)


# materials in order: glass, ceramic, wood, metal, plastic, paper, textile, rubber
TAXONOMY: tuple[Category, ...] = (
    Category(
        "Home & Kitchen",
        (4, 4, 2, 3, 3, 0.5, 0.5, 0.5),
        (
            _sub("Tableware", "Mug, Plate, Bowl, Tumbler", (24, 18, 9), 0.45, 1.3, -0.2, 0.0, 18),
            _sub("Cookware", "Saucepan, Skillet, Baking Tray, Kettle", (38, 28, 14), 0.35, -0.7, 0.2, 0.0, 45),
            _sub("Home Textiles", "Cushion, Blanket, Towel, Curtain", (42, 33, 11), 0.22, -1.3, -0.6, 0.0, 28),
            _sub("Decoration", "Vase, Candle, Picture Frame, Wall Clock", (30, 22, 9), 0.40, 1.2, 0.0, 0.02, 30),
            _sub("Storage", "Storage Box, Jar, Basket, Organiser", (42, 31, 16), 0.15, -0.9, 0.0, 0.0, 22),
        ),
    ),
    Category(
        "Electronics",
        (1.5, 0.5, 0.5, 3, 6, 0.3, 0.2, 0.5),
        (
            _sub("Audio", "Headphones, Speaker, Soundbar, Microphone", (26, 18, 9), 0.35, 0.4, 0.8, 0.0, 90),
            _sub("Computing", "Keyboard, Mouse, Webcam, Monitor Stand", (34, 19, 6), 0.40, 0.3, 0.7, 0.0, 60),
            _sub("Mobile", "Phone Case, Charger, Power Bank, Screen Protector", (18, 11, 3), 0.35, 0.0, 0.7, 0.0, 25),
            _sub("Photo", "Camera, Tripod, Lens, Flash", (25, 18, 12), 0.40, 0.9, 0.8, 0.0, 180),
            _sub("Lighting", "Desk Lamp, Light Bulb, Lantern, Light Strip", (27, 17, 11), 0.25, 0.9, 0.1, 0.0, 30),
        ),
    ),
    Category(
        "Beauty & Health",
        (2, 0.3, 0.3, 1, 6, 1, 0.5, 0.5),
        (
            _sub("Skin Care", "Face Cream, Lotion, Serum, Cleanser", (16, 8, 5), 0.75, 0.2, 0.0, 0.4, 22),
            _sub("Hair Care", "Shampoo, Conditioner, Hair Mask, Hair Spray", (21, 9, 6), 0.80, -0.1, -0.2, 0.45, 14),
            _sub("Make-up", "Lipstick, Mascara, Powder, Nail Polish", (14, 8, 4), 0.50, 0.4, 0.3, 0.25, 19),
            _sub("Vitamins", "Capsules, Tablets, Protein Powder, Gummies", (17, 11, 8), 0.55, -0.5, 0.1, 0.05, 24),
            _sub("Appliances", "Hair Dryer, Shaver, Toothbrush, Scale", (26, 16, 9), 0.35, 0.3, 0.6, 0.0, 55),
        ),
    ),
    Category(
        "Grocery",
        (3, 0.3, 0.2, 2, 4, 4, 0.2, 0.1),
        (
            _sub("Drinks", "Juice, Sparkling Water, Syrup, Iced Tea", (28, 18, 13), 0.85, 0.7, -0.6, 0.6, 12),
            _sub(
                "Coffee & Tea", "Coffee Beans, Ground Coffee, Tea Bags, Cocoa", (21, 12, 7), 0.40, -0.8, -0.1, 0.0, 13
            ),
            _sub("Pantry", "Pasta, Rice, Flour, Lentils", (25, 16, 7), 0.65, -0.6, -0.5, 0.0, 8),
            _sub("Oils & Sauces", "Olive Oil, Ketchup, Vinegar, Pesto", (26, 10, 8), 0.80, 0.9, -0.5, 0.6, 11),
            _sub("Snacks", "Crisps, Biscuits, Chocolate, Nuts", (24, 16, 6), 0.30, 0.6, -0.3, 0.0, 9),
        ),
    ),
    Category(
        "Toys & Games",
        (0.2, 0.3, 3, 1, 6, 3, 2, 1),
        (
            _sub("Board Games", "Board Game, Card Game, Puzzle, Dice Game", (29, 25, 6), 0.35, -0.8, 0.5, 0.0, 28),
            _sub(
                "Building", "Building Bricks, Marble Run, Model Kit, Magnet Set", (34, 25, 7), 0.30, -0.4, 0.6, 0.0, 40
            ),
            _sub("Soft Toys", "Teddy Bear, Doll, Hand Puppet, Play Mat", (36, 27, 13), 0.12, -1.3, -0.4, 0.0, 21),
            _sub("Vehicles", "Toy Car, Train Set, Drone, Scooter", (34, 21, 12), 0.22, 0.1, 0.3, 0.0, 38),
            _sub("Craft", "Paint Set, Modelling Clay, Bead Kit, Crayons", (27, 19, 5), 0.45, -0.4, 0.1, 0.08, 16),
        ),
    ),
    Category(
        "Clothing",
        (0.1, 0.1, 0.2, 0.6, 1, 0.3, 10, 2),
        (
            _sub("Shirts", "T-Shirt, Blouse, Polo Shirt, Sweater", (31, 24, 4), 0.25, -0.9, -0.7, 0.0, 25),
            _sub("Trousers", "Jeans, Chinos, Leggings, Shorts", (36, 28, 7), 0.28, -0.9, -0.7, 0.0, 40),
            _sub("Shoes", "Sneakers, Boots, Sandals, Slippers", (33, 22, 12), 0.15, -1.3, 0.4, 0.0, 65),
            _sub("Accessories", "Belt, Scarf, Hat, Gloves", (25, 17, 5), 0.20, -1.2, -0.4, 0.0, 20),
            _sub("Jewellery", "Necklace, Bracelet, Watch, Earrings", (13, 10, 4), 0.25, 0.2, 0.8, 0.0, 70),
        ),
    ),
    Category(
        "Garden & Tools",
        (0.4, 1.5, 3, 6, 4, 0.3, 1, 2),
        (
            _sub("Hand Tools", "Hammer, Screwdriver Set, Pliers, Wrench", (30, 16, 5), 0.90, -1.0, 0.1, 0.0, 24),
            _sub("Power Tools", "Drill, Sander, Jigsaw, Heat Gun", (38, 30, 14), 0.35, -0.8, 0.9, 0.0, 95),
            _sub("Planting", "Flower Pot, Planter, Watering Can, Seed Tray", (34, 27, 22), 0.20, 0.2, -0.5, 0.0, 20),
            _sub("Paint", "Wall Paint, Varnish, Primer, Wood Oil", (23, 18, 17), 1.05, 0.1, -0.4, 0.6, 26),
            _sub("Barbecue", "Grill, Charcoal, Grill Tongs, Grill Cover", (56, 43, 24), 0.22, -0.3, 0.0, 0.02, 85),
        ),
    ),
    Category(
        "Books & Office",
        (0.2, 0.3, 1, 1, 3, 10, 0.4, 0.3),
        (
            _sub("Books", "Novel, Cookbook, Textbook, Picture Book", (23, 16, 3), 0.75, -0.9, -0.3, 0.0, 17),
            _sub("Paper", "Notebook, Copy Paper, Envelopes, Calendar", (29, 21, 4), 0.75, -0.8, -0.3, 0.0, 12),
            _sub("Writing", "Fountain Pen, Pencil Set, Marker Set, Ink", (20, 10, 3), 0.40, -0.1, 0.5, 0.1, 15),
            _sub("Desk", "Stapler, File Tray, Desk Pad, Hole Punch", (33, 24, 8), 0.35, -0.4, 0.1, 0.0, 20),
            _sub("Presentation", "Whiteboard, Flip Chart, Pin Board, Projector", (66, 46, 9), 0.25, 0.7, 0.1, 0.0, 75),
        ),
    ),
)
