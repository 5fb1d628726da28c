"""Experiments: train and judge a model with other values, beside the main area and without touching it."""
