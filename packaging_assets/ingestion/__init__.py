"""Raw deliveries: the contract they must meet, how they are validated, and how they are appended."""
