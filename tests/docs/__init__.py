"""What the documentation shows is run here, and what it lists is compared with the code."""
