"""The products to score, and their scores: daily for what is new, monthly for the whole inventory."""
