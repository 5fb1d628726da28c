"""What is known about labelled products by the end of a week: their labels and their features."""
