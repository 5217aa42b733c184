"""Text tables: cells, columns, headers, and the numbers and categories they hold."""
