"""Several runs held against each other: what may be compared, what differs, and the verdict."""
