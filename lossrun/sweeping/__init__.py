"""Train many runs from one file: decide what to try, tune each pair with the same budget, run the cells in workers."""
