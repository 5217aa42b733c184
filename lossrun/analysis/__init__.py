"""Turn recorded runs into findings. Nothing in this room prints."""
