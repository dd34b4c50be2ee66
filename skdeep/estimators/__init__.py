"""The estimators, and the base they share."""
