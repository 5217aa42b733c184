"""A step recorded once and replayed: an engine behind `Step`. Without it everything works, only slower."""
