"""Which of the steps that are ready go first, as tags for their `op_tags`; the order of the others is the plan's."""

LEARNS = {"dagster/priority": "2"}
"""Steps that fit models: they take longest, so the rest fills the gaps that they leave."""

LEADS_TO_LEARNING = {"dagster/priority": "1"}
"""Steps that those wait for: they go before the steps that only come after."""
