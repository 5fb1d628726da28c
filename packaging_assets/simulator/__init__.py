"""A synthetic retailer with known ground truth."""
