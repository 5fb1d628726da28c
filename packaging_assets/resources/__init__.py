"""One module per capability of the outside world, each with an embedded and a production version."""
