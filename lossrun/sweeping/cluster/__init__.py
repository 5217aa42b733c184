"""Train the stacks of a sweep on a Ray cluster, also on nodes that do not share its folder."""
