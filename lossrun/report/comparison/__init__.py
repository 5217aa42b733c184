"""A comparison as tables, sentences, csv, JSON and LaTeX."""
