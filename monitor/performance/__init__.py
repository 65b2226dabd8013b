"""How good models are by their labels: predictions and labels are joined, an hour of predictions at a time."""
