"""A simulated loan-scoring endpoint: applicants, a model, captured traffic and ground truth."""
