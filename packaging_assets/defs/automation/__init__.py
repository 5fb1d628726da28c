"""Jobs by name, and the schedules that run them."""
