"""The assets of one model, one file each; `PackageModel` puts them together."""
