"""Findings for people: tables, plots, pages. The only room that imports rich or matplotlib."""
