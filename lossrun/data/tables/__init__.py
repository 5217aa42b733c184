"""Read text tables: cells, columns, headers, and the numbers and categories in them."""
