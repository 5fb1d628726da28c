"""How the ingestion of a delivery fails."""


class IngestionError(ValueError):
    """A delivery cannot be read or taken in; the message names the file, what is wrong with it and the remedy."""
