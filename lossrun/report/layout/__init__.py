"""Lay out output: the console, numbers, tables of text, files."""
