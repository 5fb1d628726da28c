"""The warehouse's tables: raw sources, and what dbt makes of them."""
