"""Add tuning cells to a plan on the way: draw the next values, grow a range, keep the best for longer."""
