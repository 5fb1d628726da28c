"""What can go wrong with an experiment."""


class ExperimentError(ValueError):
    """An experiment cannot be made, found or compared; the message says why and what to do."""
