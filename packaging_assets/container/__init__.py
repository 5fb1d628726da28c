"""The entry point of the container in which steps run on SageMaker: `python -m packaging_assets.container train`.

`train` and `process` run one step and end; `serve` runs one for every request. All three run the very functions that
run locally, over folders under `/opt/ml`, and nothing else: no network, no AWS, no Dagster.
"""
