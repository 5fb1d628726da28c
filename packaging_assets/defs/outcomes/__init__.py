"""What became of predictions: live figures of the models that serve."""
