"""Rules over a config and the facts of its data, before anything is trained."""
