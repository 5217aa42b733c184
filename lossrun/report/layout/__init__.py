"""How anything is laid out: the console, numbers, tables of text, files."""
