"""A trained model at work: scored again, asked about new samples, written for other programs."""
