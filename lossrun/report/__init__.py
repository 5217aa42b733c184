"""Show findings to people: tables, plots, pages. The only room that imports rich or matplotlib."""
