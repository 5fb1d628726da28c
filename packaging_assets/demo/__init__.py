"""The main job on a simulated retailer: what `packaging demo` runs and shows."""
