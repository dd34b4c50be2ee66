"""Training: epochs, mini-batches, validation, early stopping and what is recorded."""
