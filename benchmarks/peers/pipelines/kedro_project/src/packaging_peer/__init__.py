"""Kedro: the job as a project; datasets between nodes are files of the catalogue."""
