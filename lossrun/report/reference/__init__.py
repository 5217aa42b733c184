"""What the catalogue holds, explained: lists, single topics, pictures of losses and schedules."""
