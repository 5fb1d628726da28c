"""The four package types, in the order of the protection they give.

Ordinality (Gurumoorthy, Sanyal, Chaoji, ECML-PKDD 2020, arXiv 2006.03239): a product that is damaged in one type is
damaged in every weaker one, and one that is safe in a type is safe in every stronger one. That holds for damage only,
never for whether the product fits.
"""

WEAKEST_TO_STRONGEST: tuple[str, ...] = ("sioc", "bag", "mailer", "box")
"""`sioc` (ships in own container: no extra packaging) protects least, `box` most."""

PACKAGE_TYPES: tuple[str, ...] = ("mailer", "bag", "box", "sioc")
"""The order in which people name them; used wherever the order is one of presentation."""
