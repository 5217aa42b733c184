"""The commands, group by group. Thin: each imports what it needs when it is called. `cli.py` lists them."""
