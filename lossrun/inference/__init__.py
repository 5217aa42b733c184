"""Use trained models: score them again, predict new samples, export them for other programs."""
